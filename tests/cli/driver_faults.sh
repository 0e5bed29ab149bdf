# The table of what further programmers may be up to (STK500 version 2 and 1, AVR910, Bus Pirate, AVRISP
# mkII): verdict, failure, what was touched, what the board holds and whether it was let go, for each;
# its next board passes, and the sites beside it go on.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/fault_table.bash"
try_table "$SOURCE/tests/tools/driver_faults.py" "4"
