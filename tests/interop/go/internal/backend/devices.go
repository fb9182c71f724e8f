package backend

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"visiona.test/interop/internal/pattern"
)

// accelerator is written as the existing local tool writes it.
type accelerator struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	Type            string `json:"type"`
	Port            string `json:"port"`
	VendorID        int    `json:"vendorId"`
	ProductID       int    `json:"productId"`
	Status          string `json:"status"`
	FirmwareVersion string `json:"firmwareVersion"`
	FlashedModel    string `json:"flashedModel,omitempty"`
}

type devices struct {
	mu   sync.Mutex
	list []*accelerator
}

func newDevices() *devices {
	return &devices{list: []*accelerator{
		{ID: "kl520-0", Name: "Kneron KL520 #1", Type: "kneron_kl520", Port: "0x10", VendorID: 0x3231, ProductID: 0x0100,
			Status: "detected", FirmwareVersion: "KDP2 Loader"},
		{ID: "kl720-0", Name: "Kneron KL720 #1", Type: "kneron_kl720", Port: "0x11", VendorID: 0x3231, ProductID: 0x0720,
			Status: "detected", FirmwareVersion: "KDP2 2.2.0"},
	}}
}

func (b *Backend) localTool() {
	b.mux.HandleFunc("GET /api/system/info", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]any{"success": true, "data": map[string]any{
			"version": "0.9.4", "platform": "linux/arm64", "uptime": 4242.5, "goVersion": "go1.26", "hostname": "edge-unit",
		}})
	})
	b.mux.HandleFunc("GET /api/devices", b.devices.answerList)
	b.mux.HandleFunc("POST /api/devices/scan", b.devices.answerList)
	b.mux.HandleFunc("GET /api/devices/{id}", b.devices.become(""))
	for path, status := range map[string]string{
		"connect": "connected", "disconnect": "detected", "inference/start": "inferencing", "inference/stop": "connected",
	} {
		b.mux.HandleFunc("POST /api/devices/{id}/"+path, b.devices.become(status))
	}
	b.mux.HandleFunc("POST /api/devices/{id}/flash", b.devices.flash)
	b.mux.HandleFunc("GET /api/camera/list", func(w http.ResponseWriter, _ *http.Request) {
		answerJSON(w, http.StatusOK, map[string]any{"success": true, "data": []map[string]any{
			{"id": "cam-0", "name": "Synthetic camera", "index": 0, "width": 640, "height": 480},
		}})
	})
	b.mux.HandleFunc("GET /api/camera/stream", motionJPEG)
	b.mux.HandleFunc("GET /api/camera/snapshot", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		_, _ = io.Copy(w, pattern.Reader(1, 20000))
	})
	b.mux.HandleFunc("/api/camera/", headers)
	b.mux.HandleFunc("/api/media/", headers)
	b.mux.HandleFunc("/api/firmware/", headers)
}

// answerList copies under the lock and answers without it: a slow reader must not hold up the others.
func (d *devices) answerList(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	data := make([]accelerator, len(d.list))
	for i, item := range d.list {
		data[i] = *item
	}
	d.mu.Unlock()
	answerJSON(w, http.StatusOK, map[string]any{"success": true, "data": data})
}

// become sets an accelerator's status ("" leaves it) and answers with it.
func (d *devices) become(status string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		item, found := d.change(r.PathValue("id"), func(item *accelerator) {
			if status != "" {
				item.Status = status
			}
		})
		if !found {
			notFound(w, r.PathValue("id"))
			return
		}
		answerJSON(w, http.StatusOK, map[string]any{"success": true, "data": item})
	}
}

// flash takes {"modelId": …} and reports progress as server-sent events, as the local tool does over its socket.
func (d *devices) flash(w http.ResponseWriter, r *http.Request) {
	var order struct {
		ModelID string `json:"modelId"`
	}
	_ = json.NewDecoder(r.Body).Decode(&order)
	item, found := d.change(r.PathValue("id"), func(item *accelerator) {
		item.Status, item.FlashedModel = "connected", order.ModelID
	})
	if !found {
		notFound(w, r.PathValue("id"))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, percent := range []int{0, 25, 50, 75, 100} {
		_, _ = fmt.Fprintf(w, "data: {\"percent\":%d,\"stage\":\"flashing\"}\n\n", percent)
		_ = http.NewResponseController(w).Flush()
	}
	line, _ := json.Marshal(item)
	_, _ = fmt.Fprintf(w, "event: done\ndata: %s\n\n", line)
}

func (d *devices) change(id string, apply func(*accelerator)) (accelerator, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, item := range d.list {
		if item.ID == id {
			apply(item)
			return *item, true
		}
	}
	return accelerator{}, false
}

func notFound(w http.ResponseWriter, id string) {
	answerJSON(w, http.StatusNotFound, map[string]any{"success": false, "error": map[string]any{
		"code": "DEVICE_NOT_FOUND", "message": "no accelerator " + id,
	}})
}
