#!/bin/sh
# Make .venv and install the project into it; called by the Makefile from the project's folder.
#
#   tools/install.sh [EXTRA]     EXTRA: an extra of pyproject.toml, such as dev
#
# PYTHON=/path/to/python3 names the Python to use. Plain POSIX sh: it must be able to say what is
# missing where there is no usable Python at all. Written for macOS too, and not run there.
set -eu

oldest="3.11"
# Newest first among the versions that every dependency has a wheel for; then whatever python3 is.
candidates="${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}"

say() { printf '%s\n' "$*" >&2; }

# Prints "ok", "old VERSION" or "bare VERSION" (no venv or no ensurepip, as Debian ships it); prints
# nothing where the command does not run. The program below is read by every Python since 2.6.
examine() {
    "$1" - 2>/dev/null <<'PROGRAM' || true
import sys
version = "%d.%d" % sys.version_info[:2]
if sys.version_info < (3, 11):
    sys.stdout.write("old " + version)
else:
    try:
        import ensurepip
        import venv
        ensurepip.version()
        sys.stdout.write("ok " + version)
    except Exception:
        sys.stdout.write("bare " + version)
PROGRAM
}

usable_venv() {
    case "$(examine .venv/bin/python)" in ok*) .venv/bin/python -m pip --version >/dev/null 2>&1 ;; *) false ;; esac
}

old=""
bare=""
python=""
find_python() {
    for name in $candidates; do
        found=$(examine "$name")
        case $found in
            ok*) python=$name; return ;;
            bare*) bare="${bare:-$name ${found#bare }}" ;;
            old*) old="${old:+$old, }$name is ${found#old }" ;;
        esac
    done
}

explain_what_is_missing() {
    if [ -n "$bare" ]; then
        say "eniwall: ${bare% *} (Python ${bare#* }) is new enough, but cannot make virtual environments:"
        say "Debian and Ubuntu keep that part in a package of its own. Install it, then run make again:"
        say "    sudo apt-get install python3-venv        (python${bare#* }-venv, if it is not Debian's default Python)"
    elif [ -n "$old" ]; then
        say "eniwall: Python $oldest or newer is needed, and $old."
        say "Install a newer one, then run make again:"
        say "    Debian 12, Ubuntu 24.04 and later:  sudo apt-get install python3 python3-venv"
        say "    macOS:                              brew install python"
        say "    anywhere:                           https://www.python.org/downloads/"
    else
        say "eniwall: Python $oldest or newer is needed, and none was found (tried: $candidates)."
        say "Install it, then run make again:"
        say "    Debian, Ubuntu:  sudo apt-get install python3 python3-venv"
        say "    macOS:           brew install python"
    fi
    say "If you have one elsewhere, name it:"
    say "    make PYTHON=/path/to/python3 ..."
}

if ! usable_venv; then
    find_python
    if [ -z "$python" ]; then
        explain_what_is_missing
        exit 1
    fi
    if ! "$python" -m venv --clear .venv; then
        say "eniwall: $python -m venv could not make the folder .venv here; its message stands above."
        exit 1
    fi
fi

project=".${1:+[$1]}"
say "eniwall: installing $project and what it needs into .venv (once; some 400 MB on disk)"
# Editable: sources that change later take effect without installing again.
if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable "$project"; then
    say "eniwall: pip could not install the dependencies; its message stands above."
    say "It needs the network, or a package mirror in pip's configuration. Then run make again."
    exit 1
fi
