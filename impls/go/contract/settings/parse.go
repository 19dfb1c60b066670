package settings

import (
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxIterations bounds a section: its samples are kept in memory.
const maxIterations = 1_000_000

// longest bounds what timers are asked for.
const longest = 365 * 24 * time.Hour

func parseAny(text string) (string, bool) { return text, true }

func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// parseDigits takes digits only: no sign, no underscore.
func parseDigits(text string) (uint64, bool) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
	}
	value, err := strconv.ParseUint(text, 10, 64)
	return value, err == nil
}

func parseCount(text string) (int, bool) {
	count, ok := parseDigits(text)
	return int(min(count, maxIterations)), ok && count <= maxIterations
}

func parseBytes(text string) (uint64, bool) {
	shift := 0
	switch text[len(text)-1] {
	case 'K', 'k':
		shift = 10
	case 'M', 'm':
		shift = 20
	case 'G', 'g':
		shift = 30
	}
	if shift > 0 {
		text = text[:len(text)-1]
	}
	count, ok := parseDigits(text)
	return count << shift, ok && count <= math.MaxUint64>>shift
}

func parseSeconds(text string) (time.Duration, bool) {
	text = strings.TrimSuffix(text, "s")
	if strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value > longest.Seconds() {
		return 0, false
	}
	duration := time.Duration(math.Round(value * float64(time.Second)))
	return duration, duration > 0
}

func parsePort(text string) (uint16, bool) {
	port, err := strconv.ParseUint(text, 10, 16)
	return uint16(port), err == nil
}

func parseIP(text string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(text)
	return ip, err == nil && ip.Zone() == ""
}

func parseTestKey(text string) (string, bool) {
	const accepted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	return text, len(text) <= 64 && strings.Trim(text, accepted) == ""
}

// parseRedis makes a redis:// URL of host:port or of such a URL.
func parseRedis(text string) (string, bool) {
	if !strings.Contains(text, "://") {
		host, port, err := net.SplitHostPort(text)
		if _, ok := parsePort(port); err != nil || host == "" || !ok {
			return "", false
		}
		text = "redis://" + text
	}
	parsed, err := url.Parse(text)
	return text, err == nil && parsed.Scheme == "redis" && parsed.Hostname() != ""
}
