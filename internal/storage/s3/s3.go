// Package s3 is the backend of internal/storage for s3://bucket/key, by the requests of
// S3's API that package object asks for.
//
// Credentials, region and endpoint are those of the aws command: its environment
// variables, its files, and what a machine or container in the cloud is given. Only the
// option Anonymous does without credentials.
//
//	s3.go        the store, its client and its names
//	place.go     the requests for one object
//	failure.go   what the answers mean that are none of success
//	profile.go   what a store does with conditions, found out by trying
//	uploads.go   uploads that were begun and not ended
package s3

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"bulla/internal/storage"
	"bulla/internal/storage/object"
)

// Options are what the environment of the aws command has no word for.
type Options struct {
	Anonymous bool            // without credentials
	MaxParts  int             // of an upload; 0: object.MaxParts
	Profile   *object.Profile // what the store does with conditions; nil: it is found out
}

// A Store is all buckets of one endpoint.
type Store struct {
	Options // not to be changed once the store is used

	client *object.Client

	once  sync.Once
	err   error
	api   *api.Client
	creds aws.CredentialsProvider
	sums  atomic.Bool // a bucket wants a sum of all it gets

	mu       sync.Mutex
	profiles map[string]*object.Profile // by bucket
}

// New returns the store. It reads nothing of the environment before it is used.
func New(c *object.Client) *Store {
	return &Store{client: c, profiles: make(map[string]*object.Profile)}
}

// fallbackRegion signs requests where none is configured: most other endpoints take any.
const fallbackRegion = "us-east-1"

// connect makes the client, once.
func (s *Store) connect(ctx context.Context) error {
	s.once.Do(func() {
		transport := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.DisableCompression = true
			t.MaxIdleConnsPerHost = 16
		})
		cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(transport), config.WithLogger(logging.Nop{}), config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
		if err != nil {
			s.err = &storage.Error{Kind: storage.NoCredentials, Err: err}
			return
		}
		if s.Anonymous {
			cfg.Credentials = aws.AnonymousCredentials{}
		} else if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
			s.err = &storage.Error{Kind: storage.NoCredentials, Err: lastOf(err)}
			return
		}
		s.creds = cfg.Credentials
		if cfg.Region == "" {
			cfg.Region = fallbackRegion
		}
		cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired // others than AWS take no trailers
		cfg.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		s.api = api.NewFromConfig(cfg, func(o *api.Options) {
			o.UsePathStyle = o.BaseEndpoint != nil
			o.HTTPClient = bounded{&http.Client{
				Transport:     cfg.HTTPClient.(*awshttp.BuildableClient).GetTransport(),
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a request is signed for one host, and content may need TLS
			}}
			if o.BaseEndpoint == nil {
				return
			}
			u, err := url.Parse(*o.BaseEndpoint)
			switch {
			case err != nil || u.Scheme != "http":
			case isLoopback(u.Hostname()):
				o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
			default:
				s.client.Tell(u.Host+" is spoken to without TLS: everybody on the way sees which objects you read and write", "use an endpoint with https://")
			}
		})
	})
	return s.err
}

// maxAnswer is how many bytes of an answer are read that is no content: a page of a list
// has 4 MiB at most.
const maxAnswer = 16 << 20

// A bounded client cuts off an answer that goes on: the SDK would keep all of it in memory.
type bounded struct{ api.HTTPClient }

func (b bounded) Do(req *http.Request) (*http.Response, error) {
	resp, err := b.HTTPClient.Do(req)
	if err == nil && resp.StatusCode != http.StatusPartialContent {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// lastOf is the cause that a chain of errors ends with: the others tell what the SDK was
// about.
func lastOf(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// endpoint is where requests go; "" is AWS itself.
func (s *Store) endpoint() string { return aws.ToString(s.api.Options().BaseEndpoint) }

// at is the place of a name. Keys are literal: nothing in them is escaped.
func (s *Store) at(ctx context.Context, name string) (*place, error) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(name, "s3://"), "/")
	if bucket == "" || key == "" {
		return nil, &storage.Error{Kind: storage.BadURL, Name: name}
	}
	if err := s.connect(ctx); err != nil {
		return nil, about(name, err)
	}
	return &place{s, name, bucket, key}, nil
}

// about is an error of connect, about a name.
func about(name string, err error) error {
	e := *err.(*storage.Error)
	e.Name = name
	return &e
}

// Open implements [storage.Store].
func (s *Store) Open(ctx context.Context, name string) (storage.Object, error) {
	p, err := s.at(ctx, name)
	if err != nil {
		return nil, err
	}
	r, err := s.client.Open(ctx, name, p)
	if err != nil {
		return nil, err
	}
	return &object.Patchable{Reader: r, To: p}, nil
}

// Plan implements [storage.Store].
func (s *Store) Plan(ctx context.Context, name string, opts storage.Options) (storage.Upload, error) {
	p, err := s.at(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.client.Create(ctx, name, p, opts)
}
