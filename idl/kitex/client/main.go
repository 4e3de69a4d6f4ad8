// client calls the services: an example of a client. It compares what it gets with what the HTTP API answers, and ends with 1 when anything is
// wrong.
//
//	client -api http://127.0.0.1:8080 NAME PASSWORD    logs in, reads the feed, and is refused
//	client -comment                                    is refused by the comment service in Go
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"dousheng.example/idl/kitex_gen/base"
	"dousheng.example/kitex/dousheng"
	"github.com/cloudwego/kitex/pkg/kerrors"
)

// name is what the client calls itself: a proof holds it.
const name = "client"

// timeout ends each call. The .thrift files say it of each method; one is enough here.
const timeout = 4 * time.Second

func main() {
	log.SetFlags(0)
	api := flag.String("api", "http://127.0.0.1:8080", "the HTTP API of the same system")
	comment := flag.Bool("comment", false, "be refused by the comment service")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	settings := dousheng.FromEnvironment()
	var err error
	switch {
	case *comment && flag.NArg() == 0:
		err = commentRefuses(ctx, settings)
	case !*comment && flag.NArg() == 2:
		err = theServicesAnswer(ctx, settings, *api, flag.Arg(0), flag.Arg(1))
	default:
		flag.Usage()
		os.Exit(2)
	}
	if err != nil {
		log.Fatalf("WRONG: %v", err)
	}
}

// refusal is what a call must be refused with: the code, parts of the message, and what else the error carries.
type refusal struct {
	code    base.Code
	message string
	extra   map[string]string
}

// mustBe tells how an error differs from a refusal.
func (r refusal) mustBe(what string, err error) error {
	refused, ok := kerrors.FromBizStatusError(err)
	if !ok {
		return fmt.Errorf("%s: no business error but %v", what, err)
	}
	code, message, extra := base.Code(refused.BizStatusCode()), refused.BizMessage(), refused.BizExtra()
	if code != r.code || !strings.Contains(message, r.message) || fmt.Sprint(extra) != fmt.Sprint(r.extra) {
		return fmt.Errorf("%s: %v (%d), %q, %v instead of %+v", what, code, code, message, extra, r)
	}
	fmt.Printf("  %s: refused, %v (%d) %s\n", what, code, code, message)
	return nil
}
