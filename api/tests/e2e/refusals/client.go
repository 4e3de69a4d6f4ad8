// Uploads a body by net/http: URL FILE CONTENT_TYPE BEARER length|chunked EXPECT. Prints the status and the body of the answer.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

func main() {
	if err := upload(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func upload(arguments []string) error {
	url, name, contentType, bearer, framing, expect := arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	request, err := http.NewRequest(http.MethodPost, url, file)
	if err != nil {
		return err
	}
	if framing == "length" {
		info, err := file.Stat()
		if err != nil {
			return err
		}
		request.ContentLength = info.Size()
	} else {
		request.ContentLength = -1
	}
	request.Header.Set("Content-Type", contentType)
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	if expect != "" {
		request.Header.Set("Expect", expect)
	}
	client := http.Client{
		Timeout:   60 * time.Second,
		Transport: &http.Transport{ExpectContinueTimeout: time.Second},
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	fmt.Println(answer.StatusCode, string(body))
	return nil
}
