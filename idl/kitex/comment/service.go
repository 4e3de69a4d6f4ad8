package main

import (
	"context"
	"fmt"
	"log"
	"sync"
	"time"

	"dousheng.example/idl/kitex_gen/base"
	"dousheng.example/idl/kitex_gen/comment"
	"dousheng.example/idl/kitex_gen/video"
	"dousheng.example/idl/kitex_gen/video/videoservice"
	"dousheng.example/kitex/dousheng"
	"github.com/bytedance/gopkg/cloud/metainfo"
)

// service handles the calls of comment.thrift.
type service struct {
	videos videoservice.Client

	mutex sync.Mutex
	// In the order of their ids, which begin at 1.
	comments []*comment.Comment
	// By user and idempotency key.
	byKey map[string]*comment.Comment
	// Videos and users that are deleted.
	gone map[base.Deletable]map[int64]bool
}

var (
	noSuchVideo   = dousheng.Refusal(base.Code_NO_SUCH_VIDEO, "")
	noSuchUser    = dousheng.Refusal(base.Code_NO_SUCH_USER, "")
	noSuchComment = dousheng.Refusal(base.Code_NO_SUCH_COMMENT, "")
	notYours      = dousheng.Refusal(base.Code_NOT_YOURS, "")
	keyReused     = dousheng.Refusal(base.Code_IDEMPOTENCY_KEY_REUSED, "")
)

func (s *service) AddComment(ctx context.Context, req *comment.AddCommentRequest) (*comment.AddCommentResponse, error) {
	if _, err := s.author(ctx, req.VideoId); err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.gone[base.Deletable_VIDEO][req.VideoId] {
		return nil, noSuchVideo
	}
	if s.gone[base.Deletable_USER][req.UserId] {
		return nil, noSuchUser
	}
	var key string
	if req.IsSetIdempotencyKey() {
		key = fmt.Sprint(req.UserId, " ", req.GetIdempotencyKey())
		if first, ok := s.byKey[key]; ok {
			if first.VideoId != req.VideoId || first.Content != req.Content {
				return nil, keyReused
			}
			return &comment.AddCommentResponse{Comment: first}, nil
		}
	}
	added := &comment.Comment{
		Id:        int64(len(s.comments)) + 1,
		UserId:    req.UserId,
		VideoId:   req.VideoId,
		Content:   req.Content,
		CreatedMs: time.Now().UnixMilli(),
	}
	s.comments = append(s.comments, added)
	if key != "" {
		if s.byKey == nil {
			s.byKey = map[string]*comment.Comment{}
		}
		s.byKey[key] = added
	}
	requestID, _ := metainfo.GetPersistentValue(ctx, dousheng.RequestIDKey)
	log.Printf("comment %d under video %d, request %s", added.Id, added.VideoId, requestID)
	return &comment.AddCommentResponse{Comment: added}, nil
}

func (s *service) DeleteComment(ctx context.Context, req *comment.DeleteCommentRequest) (*comment.DeleteCommentResponse, error) {
	author, err := s.author(ctx, req.VideoId)
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found := s.find(req.CommentId)
	switch {
	case found == nil || found.VideoId != req.VideoId:
		return nil, noSuchComment
	case found.UserId != req.UserId && author != req.UserId:
		return nil, notYours
	}
	s.comments[found.Id-1] = nil
	return &comment.DeleteCommentResponse{}, nil
}

func (s *service) ListComments(_ context.Context, req *comment.ListCommentsRequest) (*comment.ListCommentsResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	page := &comment.ListCommentsResponse{Comments: []*comment.Comment{}}
	for i := len(s.comments) - 1; i >= 0; i-- {
		c := s.comments[i]
		if c == nil || c.VideoId != req.VideoId || (req.IsSetBefore() && c.Id >= req.GetBefore()) {
			continue
		}
		if len(page.Comments) == int(req.Limit) {
			next := page.Comments[len(page.Comments)-1].Id
			page.HasMore, page.NextBefore = true, &next
			break
		}
		page.Comments = append(page.Comments, c)
	}
	return page, nil
}

func (s *service) CountComments(_ context.Context, req *comment.CountCommentsRequest) (*comment.CountCommentsResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	counts := make(map[int64]int64, len(req.VideoIds))
	for _, id := range req.VideoIds {
		counts[id] = 0
	}
	for _, c := range s.comments {
		if c == nil {
			continue
		}
		if _, asked := counts[c.VideoId]; asked {
			counts[c.VideoId]++
		}
	}
	return &comment.CountCommentsResponse{CommentCounts: counts}, nil
}

func (s *service) ForgetComments(_ context.Context, req *comment.ForgetCommentsRequest) (*comment.ForgetCommentsResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.gone == nil {
		s.gone = map[base.Deletable]map[int64]bool{base.Deletable_VIDEO: {}, base.Deletable_USER: {}}
	}
	s.gone[req.Kind][req.Id] = true
	for i, c := range s.comments {
		if c != nil && (s.gone[base.Deletable_VIDEO][c.VideoId] || s.gone[base.Deletable_USER][c.UserId]) {
			s.comments[i] = nil
		}
	}
	return &comment.ForgetCommentsResponse{HasMore: false}, nil
}

func (s *service) TakeDownComment(_ context.Context, req *comment.TakeDownCommentRequest) (*comment.TakeDownCommentResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.find(req.CommentId) == nil {
		return nil, noSuchComment
	}
	s.comments[req.CommentId-1] = nil
	log.Printf("comment %d taken down: %s", req.CommentId, req.Reason)
	return &comment.TakeDownCommentResponse{}, nil
}

// find gives a comment that is there, or nil.
func (s *service) find(id int64) *comment.Comment {
	if id > int64(len(s.comments)) {
		return nil
	}
	return s.comments[id-1]
}

// author asks the video service, in Rust, whose a video is. The call is charged to the request, as the services in Rust do.
func (s *service) author(ctx context.Context, videoID int64) (int64, error) {
	metainfo.SendBackwardValue(ctx, dousheng.CostKey, "1,0")
	known, err := s.videos.MgetAuthors(ctx, &video.MGetAuthorsRequest{VideoIds: []int64{videoID}})
	if err != nil {
		log.Print(err)
		return 0, dousheng.Refusal(base.Code_UNAVAILABLE, "the service is unavailable")
	}
	author, ok := known.AuthorIds[videoID]
	if !ok {
		return 0, noSuchVideo
	}
	return author, nil
}
