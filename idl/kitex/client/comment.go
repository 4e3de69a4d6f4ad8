package main

import (
	"context"
	"fmt"
	"strings"

	"dousheng.example/idl/kitex_gen/base"
	"dousheng.example/idl/kitex_gen/comment"
	"dousheng.example/idl/kitex_gen/comment/commentservice"
	"dousheng.example/kitex/dousheng"
	"github.com/cloudwego/kitex/client"
)

// commentRefuses calls the service without a proof, with one of another secret, and with a request that breaks a rule.
func commentRefuses(ctx context.Context, settings dousheng.Settings) error {
	proven, err := settings.Client(name, timeout)
	if err != nil {
		return err
	}
	unproven, err := settings.Stranger(name, timeout, nil)
	if err != nil {
		return err
	}
	foreign, err := settings.Stranger(name, timeout, another)
	if err != nil {
		return err
	}
	long := strings.Repeat("字", 501)
	for _, call := range []struct {
		what    string
		options []client.Option
		content string
		refusal refusal
	}{
		{"a comment by a stranger", unproven, "text", refusal{code: base.Code_INTERNAL, message: "no proof"}},
		{"a comment by a stranger", foreign, "text", refusal{code: base.Code_INTERNAL, message: "doesn't fit"}},
		{"a comment without text", proven, "", refusal{code: base.Code_BAD_PARAMETER, message: "Content min_rune_size"}},
		{"a comment of 501 characters", proven, long, refusal{code: base.Code_BAD_PARAMETER, message: "Content max_rune_size"}},
		{"a comment under no video", proven, "text", refusal{code: base.Code_NO_SUCH_VIDEO}},
	} {
		comments, err := commentservice.NewClient("comment", call.options...)
		if err != nil {
			return err
		}
		request := &comment.AddCommentRequest{UserId: 1, VideoId: 1 << 40, Content: call.content}
		_, err = comments.AddComment(ctx, request)
		if err := call.refusal.mustBe(call.what, err); err != nil {
			return err
		}
	}
	listed, err := listAll(ctx, proven)
	if err != nil || listed != 0 {
		return fmt.Errorf("%d comments were kept all the same, %v", listed, err)
	}
	return nil
}

func listAll(ctx context.Context, options []client.Option) (int, error) {
	comments, err := commentservice.NewClient("comment", options...)
	if err != nil {
		return 0, err
	}
	page, err := comments.ListComments(ctx, &comment.ListCommentsRequest{VideoId: 1 << 40, Limit: 300})
	if err != nil {
		return 0, err
	}
	return len(page.Comments), nil
}
