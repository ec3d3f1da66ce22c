package s3

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"bulla/internal/storage"
	"bulla/internal/storage/object"
)

// codes are the words of S3 that say more than the status they come with, which is that
// of many others, or even 200.
var codes = map[string]struct {
	kind  storage.Kind
	again bool
}{
	"ExpiredToken":               {storage.Expired, true}, // the next attempt asks for another
	"ExpiredTokenException":      {storage.Expired, true},
	"TokenRefreshRequired":       {storage.Expired, true},
	"RequestTimeTooSkewed":       {storage.Skewed, true}, // the SDK corrects it by the answer
	"InternalError":              {storage.Unavailable, true},
	"SlowDown":                   {storage.Unavailable, true},
	"ServiceUnavailable":         {storage.Unavailable, true},
	"OperationAborted":           {storage.Unavailable, true},
	"RequestTimeout":             {storage.Unavailable, true},
	"BadDigest":                  {storage.Unavailable, true}, // it got something else
	"IncompleteBody":             {storage.Unavailable, true},
	"NoSuchKey":                  {storage.NotFound, false},
	"NoSuchBucket":               {storage.NotFound, false},
	"NoSuchUpload":               {storage.NotFound, false},
	"PreconditionFailed":         {storage.Changed, false},
	"ConditionalRequestConflict": {storage.Changed, false},
	"InvalidRange":               {storage.Shrunk, false},
}

// failure is an error of the SDK as a failure; nil stays nil. What comes of the connection
// is left to package object.
func (p *place) failure(err error) error {
	if err == nil {
		return nil
	}
	status, header := 0, http.Header(nil)
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && e.Response != nil {
		status, header = e.Response.StatusCode, e.Response.Header
	}
	code, text := "", ""
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code, text = e.ErrorCode(), e.ErrorMessage()
	}
	c, known := codes[code]
	if !known && (status == 0 || status < 300) {
		if e, ok := errors.AsType[*smithy.OperationError](err); ok {
			err = e.Err
		}
		return err
	}
	if code == http.StatusText(status) || code == "NotFound" || code == "Forbidden" {
		code = "" // of an answer without a body
	}
	f := object.StatusFailure(p.name, status, header, code, text)
	if known {
		f.Kind, f.Again = c.kind, c.again
	}
	if status == http.StatusBadRequest && strings.Contains(text, "Content-MD5") {
		p.sums.Store(true)
		f.Again = true
	}
	if f.Kind == storage.Expired {
		if cache, ok := p.creds.(*aws.CredentialsCache); ok {
			cache.Invalidate()
		}
	}
	return f
}
