module visiona.test/interop

go 1.24

require (
	github.com/gorilla/websocket v1.4.1
	github.com/hashicorp/yamux v0.0.0-20190923154419-df201c70410d
)
