# The table of faults: verdict, failure, time, what was touched and what the board holds, for each
# kind of fault and for a contact that is lost in each step; and the sites beside them go on.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/fault_table.bash"
try_table "$SOURCE/tests/tools/faults.py" "1 4" "$SOURCE"
