// go run quickstart.go. The film may be any mp4, mov, webm or mkv.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const api = "http://127.0.0.1:8080/douyin"

type reply struct {
	Code   int    `json:"status_code"`
	Text   string `json:"status_msg"`
	Token  string `json:"token"`
	Videos []struct {
		Title   string `json:"title"`
		PlayURL string `json:"play_url"`
		Author  struct {
			Name string `json:"name"`
		} `json:"author"`
	} `json:"video_list"`
}

func call(method, path, token, kind string, body io.Reader) reply {
	request, err := http.NewRequest(method, api+path, body)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var r reply
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		log.Fatal(err)
	}
	if r.Code != 0 {
		log.Fatal(r.Text)
	}
	return r
}

func main() {
	film, err := os.ReadFile("film.mp4")
	if err != nil {
		log.Fatal(err)
	}

	// 1. Register. The token stands for you from here on.
	account := url.Values{"username": {fmt.Sprint("reader-", time.Now().UnixMilli())}, "password": {"a-good-password"}}
	token := call("POST", "/user/register/", "", "application/x-www-form-urlencoded", strings.NewReader(account.Encode())).Token

	// 2. Publish.
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	parts.WriteField("title", "My first film")
	data, err := parts.CreateFormFile("data", "film.mp4")
	if err != nil {
		log.Fatal(err)
	}
	data.Write(film)
	parts.Close()
	call("POST", "/publish/action/", token, parts.FormDataContentType(), &form)

	// 3. Read the feed: your film comes first, since it is the newest.
	newest := call("GET", "/feed/", token, "", nil).Videos[0]
	fmt.Println(newest.Title, "by", newest.Author.Name)
	fmt.Println(newest.PlayURL)
}
