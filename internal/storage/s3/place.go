package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	api "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"bulla/internal/storage/object"
)

// A place is an object, or where one may come to lie. It is an [object.Target].
type place struct {
	*Store
	name, bucket, key string
}

// idKey is the metadata that has an upload's ID.
const idKey = "bulla-upload"

// noVersion is the version that an object has in a bucket that keeps none any more.
const noVersion = "null"

// Get implements [object.Source].
func (p *place) Get(ctx context.Context, off, n int64, of *object.Info) (io.ReadCloser, *object.Info, error) {
	in := &api.GetObjectInput{Bucket: &p.bucket, Key: &p.key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))}
	if of != nil && of.Strong() {
		in.IfMatch = &of.ETag
	}
	out, err := p.api.GetObject(ctx, in)
	if err != nil {
		return nil, nil, p.failure(err)
	}
	size, err := object.Range(aws.ToString(out.ContentRange), off)
	if err != nil {
		out.Body.Close()
		return nil, nil, err
	}
	return out.Body, infoOf(size, out.ETag, out.VersionId, out.LastModified, out.Metadata, out.ObjectLockRetainUntilDate, out.ObjectLockLegalHoldStatus), nil
}

// Stat implements [object.Source].
func (p *place) Stat(ctx context.Context) (*object.Info, error) {
	out, err := p.head(ctx)
	if err != nil {
		return nil, err
	}
	return infoOf(aws.ToInt64(out.ContentLength), out.ETag, out.VersionId, out.LastModified, out.Metadata, out.ObjectLockRetainUntilDate, out.ObjectLockLegalHoldStatus), nil
}

func (p *place) head(ctx context.Context) (*api.HeadObjectOutput, error) {
	out, err := p.api.HeadObject(ctx, &api.HeadObjectInput{Bucket: &p.bucket, Key: &p.key})
	return out, p.failure(err)
}

func infoOf(size int64, etag, version *string, modified *time.Time, meta map[string]string, until *time.Time, hold types.ObjectLockLegalHoldStatus) *object.Info {
	i := &object.Info{Size: size, ETag: aws.ToString(etag), Modified: aws.ToTime(modified), Version: aws.ToString(version), ID: meta[idKey]}
	if i.Version == noVersion {
		i.Version = ""
	}
	i.Retained = hold == types.ObjectLockLegalHoldStatusOn || until != nil && until.After(time.Now())
	return i
}

// conditions are the headers for what is made.
func conditions(as *object.Making) (ifMatch, ifNoneMatch *string) {
	switch {
	case as.Instead != nil && as.Instead.ETag != "":
		return &as.Instead.ETag, nil
	case as.New:
		return nil, aws.String("*")
	}
	return nil, nil
}

// Put implements [object.Target].
func (p *place) Put(ctx context.Context, body io.ReadSeeker, n int64, as *object.Making) error {
	match, none := conditions(as)
	_, err := p.api.PutObject(ctx, &api.PutObjectInput{Bucket: &p.bucket, Key: &p.key, Body: body, ContentLength: &n, ContentMD5: p.sum(body),
		IfMatch: match, IfNoneMatch: none, Metadata: map[string]string{idKey: as.ID}})
	return p.failure(err)
}

// sum is the sum of a body that is required where objects are locked by default. It is made
// only there: it takes longer than the rest.
func (p *place) sum(body io.ReadSeeker) *string {
	if !p.sums.Load() {
		return nil
	}
	h := md5.New()
	io.Copy(h, body)
	body.Seek(0, io.SeekStart)
	return aws.String(base64.StdEncoding.EncodeToString(h.Sum(nil)))
}

// Begin implements [object.Target].
func (p *place) Begin(ctx context.Context, as *object.Making) (string, error) {
	in := &api.CreateMultipartUploadInput{Bucket: &p.bucket, Key: &p.key, Metadata: map[string]string{}}
	if as.Instead != nil {
		if err := p.like(ctx, in); err != nil {
			return "", err
		}
	}
	in.Metadata[idKey] = as.ID
	out, err := p.api.CreateMultipartUpload(ctx, in)
	if err != nil {
		return "", p.failure(err)
	}
	return aws.ToString(out.UploadId), nil
}

// like gives a new version the attributes of the one there is.
func (p *place) like(ctx context.Context, in *api.CreateMultipartUploadInput) error {
	h, err := p.head(ctx)
	if err != nil {
		return err
	}
	for k, v := range h.Metadata {
		in.Metadata[k] = v
	}
	in.ContentType, in.CacheControl, in.ContentDisposition, in.ContentEncoding = h.ContentType, h.CacheControl, h.ContentDisposition, h.ContentEncoding
	in.StorageClass, in.ServerSideEncryption, in.SSEKMSKeyId = h.StorageClass, h.ServerSideEncryption, h.SSEKMSKeyId
	if aws.ToInt32(h.TagCount) > 0 {
		out, err := p.api.GetObjectTagging(ctx, &api.GetObjectTaggingInput{Bucket: &p.bucket, Key: &p.key})
		if err != nil {
			return p.failure(err)
		}
		tags := make(url.Values)
		for _, t := range out.TagSet {
			tags.Set(aws.ToString(t.Key), aws.ToString(t.Value))
		}
		in.Tagging = aws.String(tags.Encode())
	}
	return nil
}

// Send implements [object.Target].
func (p *place) Send(ctx context.Context, upload string, number int, body io.ReadSeeker, n int64) (string, error) {
	out, err := p.api.UploadPart(ctx, &api.UploadPartInput{Bucket: &p.bucket, Key: &p.key, UploadId: &upload,
		PartNumber: aws.Int32(int32(number)), Body: body, ContentLength: &n, ContentMD5: p.sum(body)})
	if err != nil {
		return "", p.failure(err)
	}
	return p.etag(out.ETag)
}

func (p *place) etag(e *string) (string, error) {
	if aws.ToString(e) == "" {
		return "", fmt.Errorf("the store says nothing of what it has got")
	}
	return *e, nil
}

// Copy implements [object.Target].
func (p *place) Copy(ctx context.Context, upload string, number int, off, n int64, of *object.Info) (string, error) {
	source := p.bucket + "/" + strings.ReplaceAll(url.QueryEscape(p.key), "+", "%20")
	if of.Version != "" {
		source += "?versionId=" + url.QueryEscape(of.Version)
	}
	in := &api.UploadPartCopyInput{Bucket: &p.bucket, Key: &p.key, UploadId: &upload, PartNumber: aws.Int32(int32(number)),
		CopySource: &source, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))}
	if of.Strong() {
		in.CopySourceIfMatch = &of.ETag
	}
	out, err := p.api.UploadPartCopy(ctx, in)
	switch {
	case err != nil:
		return "", p.failure(err)
	case out.CopyPartResult == nil:
		return p.etag(nil)
	}
	return p.etag(out.CopyPartResult.ETag)
}

// Complete implements [object.Target].
func (p *place) Complete(ctx context.Context, upload string, etags []string, as *object.Making) error {
	match, none := conditions(as)
	parts := make([]types.CompletedPart, len(etags))
	for i := range etags {
		parts[i] = types.CompletedPart{ETag: &etags[i], PartNumber: aws.Int32(int32(i + 1))}
	}
	_, err := p.api.CompleteMultipartUpload(ctx, &api.CompleteMultipartUploadInput{Bucket: &p.bucket, Key: &p.key, UploadId: &upload,
		IfMatch: match, IfNoneMatch: none, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	return p.failure(err)
}

// Abort implements [object.Target].
func (p *place) Abort(ctx context.Context, upload string) error {
	_, err := p.api.AbortMultipartUpload(ctx, &api.AbortMultipartUploadInput{Bucket: &p.bucket, Key: &p.key, UploadId: &upload})
	return p.failure(err)
}

// Delete implements [object.Target].
func (p *place) Delete(ctx context.Context, version string) error {
	in := &api.DeleteObjectInput{Bucket: &p.bucket, Key: &p.key}
	if version != "" {
		in.VersionId = &version
	}
	_, err := p.api.DeleteObject(ctx, in)
	return p.failure(err)
}

// Plan implements [object.Target].
func (p *place) Plan() object.Plan {
	plan := object.DefaultPlan
	if p.MaxParts > 0 {
		plan.Parts = p.MaxParts
	}
	if u, err := url.Parse(p.endpoint()); err == nil && strings.HasSuffix(u.Hostname(), ".r2.cloudflarestorage.com") {
		plan.Even, plan.First = true, 128<<20 // Cloudflare R2 takes parts of one size only
	}
	return plan
}
