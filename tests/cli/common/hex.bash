# Memories as the bench records them.

# trimmed_hex FILE: up to its last byte that is not FF
trimmed_hex() {
    python3 -c 'import sys; print(open(sys.argv[1], "rb").read().rstrip(b"\xff").hex())' "$1"
}
