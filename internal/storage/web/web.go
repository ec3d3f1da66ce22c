// Package web is the backend of internal/storage for https://: it reads, and does not
// write.
//
// A server has to know ranges and a file's size. Each request is made on the condition
// that the file still has the ETag that it had at first; without a strong ETag its time and
// size must be the same.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"bulla/internal/storage"
	"bulla/internal/storage/object"
)

// A Store is all that https:// leads to.
type Store struct {
	client *object.Client
	http   *http.Client
}

// New returns the store. Its requests go by the environment's proxy.
func New(c *object.Client) *Store {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.ForceAttemptHTTP2, t.TLSNextProto = false, map[string]func(string, *tls.Conn) http.RoundTripper{} // HTTP/2 has one connection for all
	t.MaxIdleConnsPerHost = 16
	return &Store{c, &http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if req.URL.Scheme != "https" {
			return errors.New("the server redirects to a place without encryption")
		}
		if len(via) >= 10 {
			return errors.New("the server redirects too often")
		}
		req.Header.Del("Referer") // the whole URL, with what is secret in it
		return nil
	}}}
}

// Plan implements [storage.Store]. It always fails.
func (s *Store) Plan(_ context.Context, name string, _ storage.Options) (storage.Upload, error) {
	return nil, &storage.Error{Kind: storage.ReadOnly, Name: storage.Shown(name)}
}

// Open implements [storage.Store].
func (s *Store) Open(ctx context.Context, name string) (storage.Object, error) {
	if u, err := url.Parse(name); err != nil || u.Host == "" {
		return nil, &storage.Error{Kind: storage.BadURL, Name: storage.Shown(name)}
	}
	r, err := s.client.Open(ctx, name, &file{s, name})
	if err != nil {
		return nil, err
	}
	if !r.Info().Strong() {
		s.client.Tell(storage.Shown(name)+" has no strong ETag, so that not every change while it is read can be noticed", "")
	}
	return r, nil
}

// A file is the source of what a URL leads to.
type file struct {
	*Store
	name string
}

// Get implements [object.Source].
func (f *file) Get(ctx context.Context, off, n int64, of *object.Info) (io.ReadCloser, *object.Info, error) {
	resp, err := f.do(ctx, http.MethodGet, func(h http.Header) {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
		if of != nil && of.Strong() {
			h.Set("If-Match", of.ETag)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	info := infoOf(resp)
	if resp.StatusCode == http.StatusOK {
		err = &storage.Error{Kind: storage.Refused, Name: storage.Shown(f.name), Err: errors.New("it gives no ranges; download the file, or pipe it in")}
	} else {
		info.Size, err = object.Range(resp.Header.Get("Content-Range"), off)
	}
	if err != nil {
		resp.Body.Close()
		return nil, nil, err
	}
	return resp.Body, info, nil
}

// Stat implements [object.Source].
func (f *file) Stat(ctx context.Context) (*object.Info, error) {
	resp, err := f.do(ctx, http.MethodHead, func(http.Header) {})
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return infoOf(resp), nil
}

func infoOf(resp *http.Response) *object.Info {
	i := &object.Info{Size: resp.ContentLength, ETag: resp.Header.Get("ETag")}
	i.Modified, _ = http.ParseTime(resp.Header.Get("Last-Modified"))
	return i
}

// do makes a request. An answer that is none of success is a failure.
func (f *file) do(ctx context.Context, method string, with func(http.Header)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.name, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "bulla")
	req.Header.Set("Accept-Encoding", "identity")
	with(req.Header)
	resp, err := f.http.Do(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent:
		err = object.StatusFailure(f.name, resp.StatusCode, resp.Header, "", "")
	case resp.Header.Get("Content-Encoding") != "":
		err = &storage.Error{Kind: storage.Refused, Name: storage.Shown(f.name), Err: errors.New("the server changes the content's coding")}
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}
