#!/bin/sh
# Run a command that opens windows: on a virtual X display where Xvfb is installed, otherwise on the session's own.
# The exit code is the command's.
set -eu
if [ "$(uname -s)" = Linux ] && command -v xvfb-run >/dev/null 2>&1; then
    # Qt would prefer the Wayland session of a desktop over the virtual X display.
    unset WAYLAND_DISPLAY
    export QT_QPA_PLATFORM=xcb
    exec xvfb-run --auto-servernum --server-args="-screen 0 1920x1080x24 -nolisten tcp" "$@"
fi
exec "$@"
