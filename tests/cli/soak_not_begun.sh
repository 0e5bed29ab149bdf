# A run of the soak that does not begin: it says which one, and what the station said last.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
mkdir "$work/soak"
cd "$work/soak"
export PYTHONDONTWRITEBYTECODE=1
cat >"$work/station" <<'END'
#!/bin/sh
echo "gangflash: bench: site 3: no answer" >&2
exit 4
END
chmod +x "$work/station"
expect 1 python3 "$SOURCE/tests/tools/soak" 20 1 "$work/station"
says out "  gangflash: bench: site 3: no answer"
says out "run silent of SOAK_SEED=1 SOAK_BOARDS=20 is wrong in 1 ways"
says out "run silent did not begin: exit status 4, and the last that it said was"
! grep -q Traceback "$work/out" "$work/err" || fail "it fell over"
