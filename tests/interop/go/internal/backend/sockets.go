package backend

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"visiona.test/interop/internal/journal"
	"visiona.test/interop/internal/pattern"
)

// command does what a text message asks for; false means that the message is to be echoed.
func command(socket *websocket.Conn, text string) bool {
	word, rest, _ := strings.Cut(text, " ")
	switch word {
	case "close":
		code, reason := websocket.CloseNormalClosure, ""
		_, _ = fmt.Sscanf(rest, "%d", &code)
		_, reason, _ = strings.Cut(rest, " ")
		message := websocket.FormatCloseMessage(code, reason)
		_ = socket.WriteControl(websocket.CloseMessage, message, time.Now().Add(time.Second))
	case "push":
		count := int64(0)
		_, _ = fmt.Sscanf(rest, "%d", &count)
		body, _ := io.ReadAll(pattern.Reader(1, count))
		_ = socket.WriteMessage(websocket.BinaryMessage, body)
	case "drop":
		_ = socket.UnderlyingConn().Close()
	case "protocol":
		_ = socket.WriteMessage(websocket.TextMessage, []byte(socket.Subprotocol()))
	default:
		return false
	}
	return true
}

func (b *Backend) sayClosed(r *http.Request, err error) {
	fields := journal.Fields{"path": r.URL.Path, "error": err.Error(), "code": 0}
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		fields["code"], fields["reason"] = closed.Code, closed.Text
	}
	b.journal.Say("websocket_closed", fields)
}
