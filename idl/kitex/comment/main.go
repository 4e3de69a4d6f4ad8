// comment is the comment service in Go, in the place of rpc/comment: an example of a server. It keeps comments in memory, so it is the only
// instance, forgets them when it ends, and leaves the counts of videos as they are.
package main

import (
	"flag"
	"log"
	"time"

	"dousheng.example/idl/kitex_gen/comment/commentservice"
	"dousheng.example/idl/kitex_gen/video/videoservice"
	"dousheng.example/kitex/dousheng"
)

const name = "comment"

func main() {
	listen := flag.String("listen", "127.0.0.1:9100", "the address to serve and to register: one that callers reach")
	flag.Parse()
	if err := run(*listen); err != nil {
		log.Fatal(err)
	}
}

func run(listen string) error {
	settings := dousheng.FromEnvironment()
	// As the .thrift file says for mget_authors.
	clientOptions, err := settings.Client(name, 2*time.Second)
	if err != nil {
		return err
	}
	videos, err := videoservice.NewClient("video", clientOptions...)
	if err != nil {
		return err
	}
	serverOptions, err := settings.Server(name, listen)
	if err != nil {
		return err
	}
	// It ends on SIGTERM: deregisters, and finishes what it is at.
	return commentservice.NewServer(&service{videos: videos}, serverOptions...).Run()
}
