#!/bin/sh
# Install what Qt needs to open windows on a Debian or Ubuntu machine without a screen: a virtual X server (Xvfb) and
# the libraries of Qt's X11 plugin. Does nothing where they are there already, and nothing on other systems.
# With --unless-display it also does nothing when there is a screen.
set -eu

# libglib2.0-bin stands for GLib itself, whose package has another name in each release.
packages="xvfb xauth libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1
libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 libdbus-1-3 libfontconfig1 fonts-dejavu-core
libglib2.0-bin"

say() { printf '%s\n' "$*" >&2; }
has_display() { [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }
missing() {
    for package in $packages; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s ' "$package"
    done
}
# stop_unless_display REASON WHAT-TO-TYPE: with a screen the windows can open there instead.
stop_unless_display() {
    say "$1"
    say "$2"
    has_display || exit 1
    say "Going on with the display of this session: windows will open on it."
    exit 0
}

[ "$(uname -s)" = Linux ] || exit 0
if [ "${1:-}" = --unless-display ] && has_display; then exit 0; fi

if ! command -v dpkg-query >/dev/null 2>&1; then
    command -v xvfb-run >/dev/null 2>&1 && exit 0
    stop_unless_display "Without a screen napari needs a virtual one, and there is no xvfb-run here." \
        "Install Xvfb (with xvfb-run) and Qt's xcb libraries with the package manager of this system, then run make again."
fi

lacking=$(missing)
[ -n "$lacking" ] || exit 0
if [ "$(id -u)" = 0 ]; then
    root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    stop_unless_display "napari's windows need Debian packages that are missing here, and only root may install them: $lacking" \
        "Type this, then run make again:  sudo apt-get update && sudo apt-get install -y $lacking"
fi
say "Installing what Qt needs on a machine without a screen: $lacking"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Old package lists name files that are gone; a failed update alone (offline, one broken source) need not matter.
if { $root apt-get update || true
     $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $lacking
   } >"$log" 2>&1 </dev/null; then
    exit 0
fi
cat "$log" >&2
stop_unless_display "apt-get could not install them; its words are above." \
    "Once that is mended, type:  apt-get install -y $lacking"
