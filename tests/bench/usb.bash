# What the benchmarks of programmers of all kinds have in common, over loopback and serial lines
# (run.sh) and over a kernel's USB (kernel.sh): the board, the floor, the station's run and what is
# printed of it. Expects $work, a directory, and $gangflash.
#
# A T is the time of an attempt as the log has it: from before the station looks for the board until
# it has let go of it, with fuses, erase and EEPROM.

usb_bytes=28672
usb_page=128

# make_image NAME BYTES SEED : a HEX file of pseudo-random bytes
make_image() {
    openssl enc -aes-128-ctr -nosalt -pass "pass:$3" -pbkdf2 </dev/zero 2>/dev/null |
        head -c "$2" >"$work/$1.bin" || true
    objcopy -I binary -O ihex "$work/$1.bin" "$work/$1.hex"
}

# make_profile NAME PART IMAGE LOW HIGH EXTENDED
make_profile() {
    cat >"$work/$1.yaml" <<PROFILE
format: 1
profile: $1
article: BENCH-$1
revision: 1
via: isp
part: $2
board: {clock: crystal 16 MHz, supply: 5 V}
images:
  - {file: $3.hex}
fuses: {low: $4, high: $5, extended: $6}
lock: 0xFF
eeprom: erase
PROFILE
}

# What all of these write: the board has its fuses already.
make_usb_profile() {
    make_image random28k $usb_bytes one
    make_profile usb ATmega328P random28k 0xFF 0xD9 0xFF
}

# usb_model PROGRAMMER : the model of the benchmark
usb_model() {
    case $1 in
    usbasp) echo usbasp-2011 ;;
    usbtiny) echo usbtinyisp ;;
    stk500v1) echo arduino-uno-isp ;;
    stk500v2) echo stk500-v2 ;;
    buspirate) echo buspirate-v3 ;;
    *) echo "$1" ;;
    esac
}

# make_usb_bench NAME PROGRAMMER… : NAME-bench.yaml, a simulated site for each, whose boards have their
# fuses already unless $usb_low says what they carry. The programmers stand
# in $work/NAME-programmers, one per line.
make_usb_bench() {
    local name=$1 site=0 programmer
    shift
    printf '%s\n' "$@" >"$work/$name-programmers"
    {
        printf 'format: 1\njig: %s-bench\nbench: simulated\nsites:\n' "$name"
        for programmer in "$@"; do
            site=$((site + 1))
            echo "  - {site: $site, programmer: $programmer, model: $(usb_model "$programmer")," \
                "board: ATmega328P, crystal: 16 MHz, found: {low: ${usb_low:-0xFF}}}"
        done
    } >"$work/$name-bench.yaml"
}

# make_usb_jig NAME PLACE… : NAME-jig.yaml, the same sites where they are to be found
make_usb_jig() {
    local name=$1 site=0 place
    shift
    {
        printf 'jig: %s\nsites:\n' "$name"
        for place in "$@"; do
            site=$((site + 1))
            echo "  - {site: $site, programmer: $(sed -n "${site}p" "$work/$name-programmers")," \
                "at: \"$place\"${usb_jig_more:-}}"
        done
    } >"$work/$name-jig.yaml"
}

# usb_floor PROGRAMMER : what the floor is made of; last line "floor SECONDS WRITE VERIFY". Facts: a
# low-speed device moves one packet of 8 bytes in a frame of 1 ms (USB 2.0, 8.5.3: a control transfer
# is a setup packet, data packets, a status packet); at SCK of a 16 MHz board the bytes of a packet
# pass within its frame; the ATmega328P writes a page in 4.5 ms. A block that is read has 248 bytes,
# the most that these firmwares count.
usb_floor() {
    awk -v programmer="$1" -v bytes=$usb_bytes -v page=$usb_page 'BEGIN {
        pages = bytes / page; data = page / 8; write = 4.5
        blocks = int((bytes + 247) / 248); packets = bytes / 8
        if (programmer == "usbasp") {
            spi = 9 * 32 / 1500
            each = 1 + (data - 1) + spi + write + 1
            printf "  a page: setup 1 ms, %d data packets %d ms\n", data - 1, data - 1
            printf "          the last data packet: SPI %.3f ms (1.5 MHz), write %.1f ms\n", spi, write
            printf "          status 1 ms (the firmware answers it when the page is written)\n"
        } else {
            wait = write > 3 ? write : 3; look = 3
            each = 1 + data + 1 + wait + look
            printf "  a page: setup 1 ms, %d data packets %d ms, status 1 ms\n", data, data
            printf "          write %.1f ms from its instruction on (setup, data, status meanwhile)\n", wait
            printf "          setup, data, status of the look that finds it done %d ms\n", look
        }
        all = blocks * 2 + packets
        printf "          in all                 %7.3f ms\n", each
        printf "  %d pages written            %8.3f s\n", pages, pages * each / 1000
        printf "  %d blocks read: setup and status %d x 1 ms, %d data packets x 1 ms\n", blocks, blocks * 2, packets
        printf "                                 %8.3f s\n", all / 1000
        printf "floor %.3f %.3f %.3f\n", (pages * each + all) / 1000, pages * each / 1000, all / 1000
    }'
}

# driver_floor NAME : the floor of an attempt at NAME-jig.yaml's first site, for a board that has the
# profile's fuses; last line "floor SECONDS". The flash's formula stands beside the driver; the rest
# (EEPROM read back, the erase, RESET low before each session) in station/plan.c.
driver_floor() {
    "$gangflash" check "$work/usb.yaml" --jig "$work/$1-jig.yaml" --json |
        sed -n 's/.*"attempt_floor_us":\([0-9]*\).*/\1/p' | awk '{ printf "floor %.3f\n", $1 / 1e6 }'
}

# floor_of PROGRAMMER NAME : counted here for those that were there first, else as the driver says
floor_of() {
    case $1 in
    usbasp | usbtiny) usb_floor "$1" ;;
    *) driver_floor "$2" ;;
    esac
}

load_now() {
    cut -d' ' -f1 /proc/loadavg
}

# flash_usb NAME : one cycle of NAME-jig.yaml. Sets `load`: the machine's, before and after. False, with
# what did not pass printed, when a board failed.
flash_usb() {
    local before status=0
    before=$(load_now)
    rm -f "$work/$1.sqlite"
    command time -f '%U %S %e %M' -o "$work/time" "$gangflash" flash "$work/${usb_profile:-usb}.yaml" \
        --jig "$work/$1-jig.yaml" --go now --log "$work/$1.sqlite" >"$work/$1.out" 2>&1 ||
        status=$?
    load="load $before, then $(load_now)"
    [ "$status" -eq 0 ] || sed -n '/^What did not pass/,/^The log is/{/^The log is/d;p}' "$work/$1.out"
    return "$status"
}

# print_usb_one PROGRAMMER NAME : the only attempt in the log against the floor. Its seconds go to
# $work/alone-PROGRAMMER.
print_usb_one() {
    local t sck floor write verify
    t=$(sqlite3 "$work/$2.sqlite" \
        "SELECT round((julianday(ended_at)-julianday(started_at))*86400,3) FROM attempts")
    sck=$(sqlite3 "$work/$2.sqlite" "SELECT sck_hz FROM attempts")
    echo "$t" >"$work/alone-$1"
    floor_of "$1" "$2" | tee "$work/floor"
    read -r floor write verify <<<"$(sed -n 's/^floor //p' "$work/floor")"
    sqlite3 -separator ' ' "$work/$2.sqlite" \
        "SELECT step, round(sum(duration_us)/1e6,3) FROM steps GROUP BY step ORDER BY min(rowid)" |
        awk -v w="${write:-0}" -v v="${verify:-0}" '{
            printf "  step %-9s %7.3f s", $1, $2
            if ($1 == "flash" && w > 0) printf "   %.4f of its floor", $2 / w
            if ($1 == "verify" && v > 0) printf "   with 1 KiB of EEPROM; %.4f of the floor of the flash", $2 / v
            print "" }'
    awk -v p="$1" -v t="$t" -v f="$floor" -v s="$sck" 'BEGIN {
        printf "%s: T %.3f s (SCK %d Hz), floor %.3f s: T / floor = %.3f (goal: at most 1.08)", p, t, s, f, t / f }'
    echo "; $load"
}

# print_usb_cycle NAME PROGRAMMER… : all attempts in the log against the slowest of these alone
print_usb_cycle() {
    local name=$1 cycle slowest alone sites programmer
    shift
    IFS='|' read -r sites cycle slowest <<<"$(sqlite3 "$work/$name.sqlite" "SELECT count(*),
        (max(julianday(ended_at))-min(julianday(started_at)))*86400,
        max(julianday(ended_at)-julianday(started_at))*86400 FROM attempts WHERE verdict='pass'")"
    alone=$(for programmer in "$@"; do cat "$work/alone-$programmer"; done | sort -n | tail -n 1)
    awk -v n="$sites" -v c="$cycle" -v s="$slowest" -v a="$alone" 'BEGIN {
        printf "%d passed: cycle %.3f s, slowest site in it %.3f s, slowest alone %.3f s: cycle / alone = %.3f (goal: at most 1.05)", n, c, s, a, c / a }'
    echo "; $load"
    awk '{ printf "station: %.2f s user + %.2f s system in %.1f s: %.1f %% of a core; %.1f MiB resident at most\n",
        $1, $2, $3, ($1 + $2) / $3 * 100, $4 / 1024 }' "$work/time"
}

# ---- clock first: a new board, 1 MHz, that gets a crystal of 16 MHz ----

usb_new_low=0x62 # as an ATmega328P leaves the factory

# make_clock_profiles : usb-as-found and usb-clock-first
make_clock_profiles() {
    make_usb_profile
    for speed in as-found clock-first; do
        { cat "$work/usb.yaml" && echo "speed: $speed"; } >"$work/usb-$speed.yaml"
    done
}

# clock_seconds NAME : of the last attempt
clock_seconds() {
    sqlite3 "$work/$1.sqlite" \
        "SELECT round((julianday(ended_at)-julianday(started_at))*86400,3) FROM attempts ORDER BY attempt DESC LIMIT 1"
}

# print_clock PROGRAMMER SLOW FIRST
print_clock() {
    awk -v p="$1" -v s="$2" -v f="$3" 'BEGIN {
        goal = p == "avrispmkii" ? " (goal: at least 3.5)" : ""
        printf "%s: as found %.3f s, clock first %.3f s: %.2f times as fast%s", p, s, f, s / f, goal }'
    echo "; $load"
}

# print_clock_avrdude OPTIONS THEIRS START OURS : two calls of avrdude, clock fuse first, against clock
# first; START of it is what avrdude needs to read its configuration, twice
print_clock_avrdude() {
    awk -v o="$1" -v a="$2" -v s="$3" -v t="$4" 'BEGIN {
        printf "avrdude %s in two calls: %.3f s and %.3f s to start: %.3f times as long as clock first (goal: at least 1)\n",
            o, a - s, s, (a - s) / t }'
}
