# Common to the tests in the machine. Expects BUILD and SOURCE in the environment.
. "${SOURCE:?}/tests/peers/simbench.bash"

# equal FOUND EXPECTED WHAT
equal() {
    [ "$1" = "$2" ] || fail "$3: found '$1', expected '$2'"
}
