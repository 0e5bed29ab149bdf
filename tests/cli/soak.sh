# Many boards under all faults that a jig file knows: what the bench knows about each board, what the
# log says about it and what the profile calls for are compared. SOAK_BOARDS is how many; SOAK_SEED
# begins another series of faults.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
kept=$BUILD/soak-failed
rm -rf "$kept"
mkdir "$work/soak"
cd "$work/soak"
export PYTHONDONTWRITEBYTECODE=1
python3 "$SOURCE/tests/tools/soak" "${SOAK_BOARDS:-600}" "${SOAK_SEED:-1}" "$gangflash" || {
    cp -r "$work/soak" "$kept"
    fail "the files of the runs that are wrong are in $kept"
}
