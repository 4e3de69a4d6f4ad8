package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"dousheng.example/idl/kitex_gen/base"
	"dousheng.example/idl/kitex_gen/user"
	"dousheng.example/idl/kitex_gen/user/userservice"
	"dousheng.example/idl/kitex_gen/video"
	"dousheng.example/idl/kitex_gen/video/videoservice"
	"dousheng.example/kitex/dousheng"
	"github.com/bytedance/gopkg/cloud/metainfo"
)

// The services in Rust, with a proof and without.
type services struct {
	users  userservice.Client
	videos videoservice.Client
}

func connect(settings dousheng.Settings) (*services, error) {
	options, err := settings.Client(name, timeout)
	if err != nil {
		return nil, err
	}
	users, err := userservice.NewClient("user", options...)
	if err != nil {
		return nil, err
	}
	videos, err := videoservice.NewClient("video", options...)
	if err != nil {
		return nil, err
	}
	return &services{users, videos}, nil
}

// theServicesAnswer logs in by RPC and by HTTP, reads the feed by both, and compares.
func theServicesAnswer(ctx context.Context, settings dousheng.Settings, api, username, password string) error {
	services, err := connect(settings)
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return services.logsIn(ctx, api, username, password) },
		func() error { return services.refuseWhatIsWrong(ctx, username) },
		func() error { return services.refuseStrangers(ctx, settings, username, password) },
		func() error { return services.haveTheFeedOf(ctx, api) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (s *services) logsIn(ctx context.Context, api, username, password string) error {
	// What a service sends beside its result is received in a context that is made for it.
	ctx = metainfo.WithBackwardValues(ctx)
	loggedIn, err := s.users.Login(ctx, &user.LoginRequest{Username: username, Password: password})
	if err != nil {
		return fmt.Errorf("login: %w", err)
	}
	var session struct {
		Code   int   `json:"status_code"`
		UserID int64 `json:"user_id"`
	}
	form := url.Values{"username": {username}, "password": {password}}
	if err := fetch(ctx, http.MethodPost, api+"/douyin/user/login/", form, &session); err != nil {
		return err
	}
	if session.Code != 0 || session.UserID == 0 || loggedIn.UserId != session.UserID {
		return fmt.Errorf("login: user %d, over HTTP %+v", loggedIn.UserId, session)
	}
	cost, _ := metainfo.RecvBackwardValue(ctx, dousheng.CostKey)
	if !regexp.MustCompile(`^\d+,[1-9]\d*$`).MatchString(cost) {
		return fmt.Errorf("login: it cost %q", cost)
	}
	fmt.Printf("  login: user %d, at a cost of %s (calls, statements)\n", loggedIn.UserId, cost)
	return nil
}

func (s *services) refuseWhatIsWrong(ctx context.Context, username string) error {
	wrong := refusal{code: base.Code_WRONG_NAME_OR_PASSWORD}
	// More than once: the connection must be good for further calls.
	for _, password := range []string{"wrong", "also wrong"} {
		_, err := s.users.Login(ctx, &user.LoginRequest{Username: username, Password: password})
		if err := wrong.mustBe("login with a wrong password", err); err != nil {
			return err
		}
	}
	// What the generated validator finds, and what it can't know: the rules that are ours.
	nameless := &user.RegisterRequest{Username: "", Password: "12345"}
	if err := nameless.IsValid(); err == nil || !strings.Contains(err.Error(), "min_rune_size") {
		return fmt.Errorf("the generated validator says %v", err)
	}
	for _, broken := range []struct {
		username, rule, limit, message string
	}{
		{"", "min_rune_size", "1", "username: at least 1 character"},
		{strings.Repeat("字", 33), "max_rune_size", "32", "username: at most 32 characters"},
		{" name", "trimmed", "", "username: no white space at its start or end"},
	} {
		_, err := s.users.Register(ctx, &user.RegisterRequest{Username: broken.username, Password: "12345"})
		if err := badParameter("username", broken.rule, broken.limit, broken.message).mustBe("registration", err); err != nil {
			return err
		}
	}
	_, err := s.videos.MgetVideos(ctx, &video.MGetVideosRequest{VideoIds: []int64{}})
	return badParameter("video_ids", "min_size", "1", "video_ids: at least 1 item").mustBe("a list of no videos", err)
}

func badParameter(field, rule, limit, message string) refusal {
	extra := map[string]string{"field": field, "rule": rule, "limit": limit}
	return refusal{code: base.Code_BAD_PARAMETER, message: message, extra: extra}
}

// refuseStrangers calls without a proof, and with one of another secret.
func (s *services) refuseStrangers(ctx context.Context, settings dousheng.Settings, username, password string) error {
	for _, stranger := range []struct {
		secrets dousheng.Secrets
		message string
	}{
		{nil, "the call has no proof"},
		{another, "the proof doesn't fit"},
	} {
		direct, err := settings.Stranger(name, timeout, stranger.secrets)
		if err != nil {
			return err
		}
		users, err := userservice.NewClient("user", direct...)
		if err != nil {
			return err
		}
		_, err = users.Login(ctx, &user.LoginRequest{Username: username, Password: password})
		if err := (refusal{code: base.Code_INTERNAL, message: stranger.message}).mustBe("login by a stranger", err); err != nil {
			return err
		}
	}
	return nil
}

// another secret than any that is in use.
var another = dousheng.Secrets{"another-secret-of-32-bytes-or-more"}

// A video as the HTTP API shows it.
type shown struct {
	ID     int64 `json:"id"`
	Author struct {
		ID int64 `json:"id"`
	} `json:"author"`
	Title         string `json:"title"`
	PlayURL       string `json:"play_url"`
	CoverURL      string `json:"cover_url"`
	FavoriteCount int64  `json:"favorite_count"`
	CommentCount  int64  `json:"comment_count"`
	Width         int32  `json:"width"`
	Height        int32  `json:"height"`
	DurationMs    int64  `json:"duration_ms"`
}

// haveTheFeedOf reads the feed in pages of two, and the same from the API.
func (s *services) haveTheFeedOf(ctx context.Context, api string) error {
	var videos []*video.Video
	for request := (&video.FeedRequest{Limit: 2}); ; {
		page, err := s.videos.Feed(ctx, request)
		if err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		if len(page.Videos) == 0 {
			break
		}
		videos = append(videos, page.Videos...)
		request.BeforeMs = &page.Videos[len(page.Videos)-1].PublishedMs
	}
	var feed struct {
		Code   int     `json:"status_code"`
		Videos []shown `json:"video_list"`
	}
	if err := fetch(ctx, http.MethodGet, api+"/douyin/feed/", nil, &feed); err != nil {
		return err
	}
	if feed.Code != 0 || len(feed.Videos) == 0 || len(feed.Videos) == 30 {
		return fmt.Errorf("feed: the API shows %d videos; some, and no more than a page, are needed", len(feed.Videos))
	}
	if len(videos) != len(feed.Videos) {
		return fmt.Errorf("feed: %d videos, over HTTP %d", len(videos), len(feed.Videos))
	}
	for i, got := range videos {
		same := shown{
			ID:            got.Id,
			Title:         got.Title,
			PlayURL:       got.PlayUrl,
			CoverURL:      got.CoverUrl,
			FavoriteCount: got.FavoriteCount,
			CommentCount:  got.CommentCount,
			Width:         got.GetWidth(),
			Height:        got.GetHeight(),
			DurationMs:    got.GetDurationMs(),
		}
		same.Author.ID = got.AuthorId
		want := feed.Videos[i]
		// Signatures differ; what they sign doesn't.
		for _, address := range []*string{&same.PlayURL, &same.CoverURL, &want.PlayURL, &want.CoverURL} {
			if *address, _, _ = strings.Cut(*address, "?"); *address == "" {
				return fmt.Errorf("feed: video %d lacks an address", got.Id)
			}
		}
		if same != want {
			return fmt.Errorf("feed: video %d is %+v, over HTTP %+v", i, same, want)
		}
	}
	fmt.Printf("  feed: %d videos, as over HTTP\n", len(videos))
	return nil
}

// fetch asks the HTTP API.
func fetch(ctx context.Context, method, address string, form url.Values, answer any) error {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("%s: status %d: %w", request.URL.Path, response.StatusCode, err)
	}
	return nil
}
