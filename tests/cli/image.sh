# gangflash image: what is in files, files joined, files compared; and profiles with such files.
set -eu
. "$SOURCE/tests/cli/common/cli.bash"
. "$SOURCE/tests/cli/common/hex.bash"
export COLUMNS=80
cd "$work"

# ---- programs

# build_program NAME MCU GCC-OPTION… : $work/NAME.elf with all that avr-libc can put in
build_program() {
    local name=$1 mcu=$2
    shift 2
    cat >"$name.c" <<'END'
#include <avr/io.h>
#include <avr/eeprom.h>
#include <avr/fuse.h>
#include <avr/lock.h>
#include <avr/signature.h>
FUSES = {.low = 0xFF, .high = 0xD9, .extended = 0xFD};
LOCKBITS = 0xFF;
#ifdef WITH_EEPROM
uint8_t EEMEM settings[4] = {1, 2, 3, 4};
#endif
#ifdef LATER
volatile uint16_t counter = 0x1235;
#else
volatile uint16_t counter = 0x1234;
#endif
uint8_t buffer[64];
int main(void)
{
    for (;;)
        PORTB = buffer[counter++ % 64];
}
END
    avr-gcc -mmcu="$mcu" -Os "$@" -o "$name.elf" "$name.c"
}
build_program app atmega328p
build_program stored atmega328p -DWITH_EEPROM
build_program boot atmega328p -Wl,--section-start=.text=0x7E00
avr-objcopy -j .text -j .data -O ihex app.elf app.hex
avr-objcopy -j .text -j .data -O srec app.elf app.s19
avr-objcopy -j .text -j .data -O binary app.elf app.bin
avr-objcopy -j .eeprom --change-section-lma .eeprom=0 -O ihex stored.elf stored.eep
size=$(stat -c %s app.bin)

# ---- info

expect 0 "$gangflash" image info app.elf --part ATmega328P
says out "app.elf: ELF, $(stat -c %s app.elf) bytes"
says out "sha256 $(sha256sum app.elf | cut -d' ' -f1)"
says out "flash: $size of 32768 bytes"
says out "high 0xD9: BOOTRST off"
says out "lock 0xFF: LB NO_LOCK"
says out "signature: 1E 95 0F, as ATmega328P has it"
says out "BOOTSZ 0 (as these fuses say), 0x07000 to 0x07FFF: nothing in it"
expect 0 "$gangflash" image info app.elf --part ATmega328
says out "NOT that of ATmega328, which is 1E 95 14"

# The same program in each format is the same image, and that of a profile which writes it.
expect 0 "$gangflash" image info --json --part ATmega328P app.elf app.hex app.s19 app.bin@0
equal "$(jq -r '.format' out | tr '\n' ' ')" "elf hex srec bin " "formats"
equal "$(jq -r '.image_sha256' out | sort -u | wc -l)" 1 "images"
digest=$(jq -r '.image_sha256' out | head -n 1)
equal "$(jq -r '.memories[0].bytes' out | sort -u)" "$size" "bytes"
equal "$(jq -c '[.fuses[].value]' out | head -n 1)" "[255,217,253,255]" "fuses"
expect 0 "$gangflash" image info --json --part ATmega328P --address 0x0 --format bin app.bin
equal "$(jq -r '.image_sha256' out)" "$digest" "a raw binary by options"

# profile_with IMAGES EEPROM : $work/board.yaml
profile_with() {
    cat >board.yaml <<END
format: 1
profile: board
article: TEST
revision: 1
via: isp
part: ATmega328P
images:
  - {$1}
fuses: {low: 0xFF, high: 0xD9, extended: 0xFD}
lock: 0xFF
eeprom: $2
board: {clock: crystal 16 MHz}
END
}
for image in "file: app.elf" "file: app.hex" "file: app.s19" "file: app.bin, address: 0"; do
    profile_with "$image" erase
    expect 0 "$gangflash" check board.yaml --json
    equal "$(jq -r .image_sha256 out)" "$digest" "image_sha256 of a profile with $image"
done
expect 0 "$gangflash" image info --profile board.yaml --json
equal "$(jq -r '[.format, .image_sha256] | join(" ")' out)" "profile $digest" "info of a profile"
expect 0 "$gangflash" image info --profile demo
says out "of 32768 bytes"

# ---- profiles and what an ELF file says besides

profile_with "file: app.bin" erase
expect 3 "$gangflash" check board.yaml
says err "image-unknown: board.yaml:8:5: app.bin:1: begins with the bytes"
says err "a raw binary is never guessed, it needs an address: expected the key 'address'"
profile_with "file: app.elf" erase
sed -i 's/high: 0xD9/high: {write: 0xDA, accept: [0xD9], because: found on old boards}/' board.yaml
expect 3 "$gangflash" check board.yaml
says err "image-disagrees: "
says err "board.yaml:8:12: app.elf wants the high fuse to be 0xD9, but the profile writes 0xDA"
profile_with "file: stored.elf" erase
expect 3 "$gangflash" check board.yaml
says err "stored.elf also holds 4 bytes for the EEPROM"
for eeprom in stored.elf stored.eep; do
    profile_with "file: stored.elf" "{file: $eeprom}"
    expect 0 "$gangflash" check board.yaml --json
    jq -r .image_sha256 out >>digests
    equal "$(jq -r '.eeprom_image | [.file, .sha256, .bytes, .first_address, .last_address] |
        join(" ")' out)" "$eeprom $(sha256sum "$eeprom" | cut -d' ' -f1) 4 0 3" "the EEPROM's file"
    expect 0 "$gangflash" check board.yaml
    sed -n '/^eeprom: written and read back/,/^verification/p' out >named
    grep -q "^  $eeprom, .*" named && grep -q "^    sha256 $(sha256sum "$eeprom" | cut -d' ' -f1)$" named &&
        grep -q "^    0x00000 to 0x00003, 4 bytes$" named || fail "check does not name $eeprom"
done
equal "$(sort -u digests | wc -l)" 1 "the EEPROM by ELF and by HEX"
expect 0 "$gangflash" image info --json --part ATmega328P stored.elf
equal "$(jq -r .image_sha256 out)" "$(head -n 1 digests)" "info of flash and EEPROM"
# The EEPROM of another build.
build_program later atmega328p -DWITH_EEPROM -DLATER
profile_with "file: stored.elf" "{file: later.elf}"
expect 3 "$gangflash" check board.yaml
says err "image-disagrees: "
says err "board.yaml:11:16: later.elf is of another build: it has 0x"
profile_with "file: stored.elf" "{file: stored.eep}"
# What the boards hold then is what the GNU tools make of the program.
bench
expect 0 "$gangflash" flash board.yaml --jig bench.yaml --go now --log log.sqlite \
    --bench-record record
avr-objcopy -j .text -j .data -O binary stored.elf stored.bin
avr-objcopy -j .eeprom --change-section-lma .eeprom=0 -O binary stored.elf stored.bytes
equal "$(jq -r '[.flash, .eeprom] | join(" ")' record | sort -u)" \
    "$(trimmed_hex stored.bin) $(trimmed_hex stored.bytes)" "the boards' memories"
equal "$(query log.sqlite "SELECT DISTINCT image_sha256 FROM attempts")" "$(head -n 1 digests)" \
    "image_sha256 in the log"

sed -i '1s/01020304../01020305F1/' stored.eep
expect 3 "$gangflash" check board.yaml
says err "wants the EEPROM at 0x0003 to be 0x04, but the profile's EEPROM file has 0x05"

# ---- the map

# Every column of the bar is as many bytes; the boot sections lie beneath it.
head -c 24576 /dev/zero >lower.bin
head -c 4096 /dev/zero >upper.bin
expect 0 env LC_ALL=C COLUMNS=94 "$gangflash" image info --part ATmega328P lower.bin@0
says out "flash     0x00000 $(printf '#%.0s' {1..48})$(printf '.%.0s' {1..16}) 0x07FFF"
says out "  BOOTSZ 0          $(printf ' %.0s' {1..56})[------]"
says out "  BOOTSZ 3          $(printf ' %.0s' {1..63})|"
expect 0 "$gangflash" image info --part ATmega328P lower.bin@0
says out "█████████████████████████████████████▒············ 0x07FFF"
# From 0x6800 to 0x77FF: into the largest boot section only.
expect 0 "$gangflash" image info --part ATmega328P upper.bin@0x6800
says out "BOOTSZ 0, 0x07000 to 0x07FFF: 2048 bytes in it, the run from 0x06800 reaches into it"
says out "BOOTSZ 1, 0x07800 to 0x07FFF: nothing in it"
expect 0 "$gangflash" image info --part ATmega328P --json upper.bin@0x7000
equal "$(jq -c '[.boot_sections[] | [.bootsz, .bytes, .crossed]]' out)" \
    "[[3,512,true],[2,1024,true],[1,2048,true],[0,4096,false]]" "boot sections"

# ---- compose

expect 0 "$gangflash" image compose app.elf boot.elf -o both.hex
says out "both.hex: Intel HEX, $((2 * size)) bytes of flash"
says out "left out of app.elf: fuses, 3 bytes"
expect 0 "$gangflash" image compose boot.elf app.elf --output other.hex
cmp both.hex other.hex || fail "the order of the files matters"
expect 0 "$gangflash" image info --part ATmega328P both.hex
says out "BOOTSZ 3, 0x07E00 to 0x07FFF: $size bytes in it, from 0x07E00"
expect 0 "$gangflash" image compose both.hex -o both.bin
cmp <(head -c "$size" both.bin) app.bin || fail "the first bytes of the raw binary"
equal "$(stat -c %s both.bin)" $((0x7E00 + size)) "bytes of the raw binary"
expect 0 "$gangflash" image compose both.bin@0 --format srec -o both.out
expect 1 "$gangflash" image diff both.hex both.out
says out "all FF, as erased memory reads"
expect 0 "$gangflash" image compose stored.elf -o made.eep --memory eeprom
avr-objcopy -j .eeprom --change-section-lma .eeprom=0 -O ihex stored.elf stored.eep
expect 0 "$gangflash" image diff made.eep stored.eep

# refused STATUS TEXT ARGUMENT… : nothing is written, nothing is left behind
refused() {
    local status=$1 text=$2
    shift 2
    ls -l --time-style=full-iso | grep -v -e ' out$' -e ' err$' >before
    expect "$status" "$gangflash" image compose "$@"
    says err "$text"
    ls -l --time-style=full-iso | grep -v -e ' out$' -e ' err$' >after
    sed -i '/ before$/d; / after$/d; /^total/d' before after
    cmp -s before after || fail "a refused compose changed a file: $*"
}
refused 3 "app.hex and app.s19 both give the bytes 0x0000 to 0x$(printf %04X $((size - 1)))" \
    boot.elf app.hex app.s19 -o new.hex
refused 2 "both.hex is there already" app.hex -o both.hex
ln app.hex linked.hex
ln -s app.hex pointing.hex
refused 2 "app.hex is one of the files to be joined" app.hex -o app.hex --force
refused 2 "linked.hex is one of the files to be joined" app.hex -o linked.hex --force
refused 2 "pointing.hex is one of the files to be joined" app.hex -o pointing.hex --force
refused 2 "is not a regular file" app.hex -o /dev/null --format hex --force
refused 2 "No such file or directory" app.hex -o none/new.hex
refused 2 "stored.elf also holds 4 bytes for the EEPROM" stored.elf -o new.hex
refused 3 "found no data for the EEPROM" app.elf boot.elf -o new.hex --memory eeprom
refused 3 "cannot be opened" app.hex absent.hex -o new.hex
refused 3 "expected below 0x2000" both.hex --part ATmega8 -o new.hex
refused 2 "at most 64 files" $(printf 'app.hex %.0s' {1..65}) -o new.hex
expect 0 "$gangflash" image compose boot.elf -o both.hex --force
expect 1 "$gangflash" image diff both.hex other.hex
# A full disk leaves no half file.
if (ulimit -f 1) 2>/dev/null; then
    refused_by_limit() {
        (
            trap '' XFSZ
            ulimit -f 1
            exec "$gangflash" image compose lower.bin@0 -o full.hex
        )
    }
    expect 2 refused_by_limit
    says err "full.hex: cannot be written"
    [ -z "$(ls | grep full)" ] || fail "a half file was left behind"
fi

# ---- diff

expect 0 "$gangflash" image diff app.hex app.bin@0
says out "equal"
printf '\377\377' >>app.bin
expect 1 "$gangflash" image diff app.hex app.bin@0
says out "2 bytes only in app.bin, all FF, as erased memory reads"
printf 'abcdef' >a.bin
printf 'abXYef' >b.bin
expect 1 "$gangflash" image diff a.bin@0x100 b.bin@0x102
cat >wanted <<'END'
flash:
  0x00100 to 0x00101, 2 bytes only in a.bin
    61 62
  0x00102 to 0x00105, 4 bytes differ
    in a.bin: 63 64 65 66
    in b.bin: 61 62 58 59
  0x00106 to 0x00107, 2 bytes only in b.bin
    65 66
4 bytes differ, 2 only in a.bin, 2 only in b.bin
END
diff wanted out || fail "diff"
expect 1 "$gangflash" image diff app.elf app.hex
says out "0 bytes differ, 7 only in app.elf, 0 only in app.hex"
expect 3 "$gangflash" image diff app.hex absent.hex
expect 3 "$gangflash" image diff app.hex app.c
says err "app.c:1: begins with the bytes 23 69"

# ---- what to do about files that are none

# advised STATUS TEXT ADVICE FILE : of info and of diff; nobody who looks at files holds a lot
advised() {
    for command in "info $4" "diff app.hex $4"; do
        expect "$1" "$gangflash" image $command
        says err "$2"
        says err "$3"
        ! grep -qiE "lot|engineer${5:+|$5}" err || fail "advice for a lot: image $command"
    done
}
avr-gcc -mmcu=atmega328p -Os -c -o app.o app.c
mkdir directory
advised 3 "image-unknown: app.bin:1: begins with the bytes" \
    "If it is a raw binary, say where it belongs: FILE@ADDRESS, as in boot.bin@0x7000." app.bin damaged
advised 3 "image-unreadable: absent.bin: cannot be opened: No such file or directory" \
    "Check the name of the file" absent.bin damaged
advised 3 "image-unreadable: absent.bin@zz: cannot be opened" "Check the name" absent.bin@zz damaged
advised 3 "image-unreadable: absent.bin: cannot be opened" "Check the name" absent.bin@0x10 damaged
advised 3 "image-unreadable: directory:1:1: is not a regular file" "Check the name" directory damaged
advised 2 "app.bin@zz: 'zz' is no address, as in app.bin@0x7000" "no address" app.bin@zz damaged
advised 2 "app.bin@: '' is no address" "no address" app.bin@ damaged
advised 3 "app.o: is of ELF type 1, expected 2, a linked program; this is an object file" \
    "This file is damaged or not a finished image." app.o
expect 3 "$gangflash" image info --format bin app.bin
says err "image-unknown: app.bin:1: a raw binary needs the address"
profile_with "file: absent.hex" erase
expect 3 "$gangflash" image info --profile board.yaml
says err "the image 'absent.hex' is missing"
! grep -qi "hold the lot" err || fail "advice for a lot: image info --profile"

# A file whose name looks as if it had an address is that file.
cp app.hex at@0
expect 0 "$gangflash" image diff at@0 app.hex
