//go:build tools

// Package s3gateway names the S3 server that the tests start, so that its version is on record.
package s3gateway

import _ "github.com/versity/versitygw/cmd/versitygw"
