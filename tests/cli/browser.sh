#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# browser.sh ATTUNE SOURCE_DIR: the page of `attune report` in headless Chromium: the console stays
# silent, the charts are there with the right numbers, tables sort, a tap shows a mark's numbers, and
# nothing is wider than a phone. Exits with 77 (skipped) where no Chromium can be had.
set -u
attune=$1 source=$2
root=$source
. "$source/bench/build.sh"
failures=0
fail() { printf 'FAILED: %s\n' "$*"; failures=$((failures + 1)); }

find_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
browser=$(find_browser) || {
    attune_install chromium >/dev/null 2>&1
    browser=$(find_browser) || {
        echo "SKIPPED: no Chromium here, and none can be installed"
        exit 77
    }
}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

# dump PAGE WIDTH: the page's markup after its scripts; the console goes to $folder/console.
dump() {
    HOME=$folder timeout 100 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars \
        --user-data-dir="$folder/profile" --window-size="$2",1000 --virtual-time-budget=2000 \
        --enable-logging=stderr --log-level=0 --dump-dom "file://$1" 2>"$folder/log"
    grep -a CONSOLE "$folder/log" >"$folder/console"
}
# count TEXT: how often it stands in the markup dumped last.
count() { grep -aoF -- "$1" "$folder/dom" | wc -l; }
expect() {
    local found
    found=$(count "$1")
    [ "$found" -eq "$2" ] || fail "'$1' stands there $found times, not $2"
}

"$attune" report "$source/tests/cli/results/example.jsonl" -o "$folder/page.html" \
    --picture "$source/bench/data/g2p_additive.safetensors" --entry throughput || exit 1
dump "$folder/page.html" 1200 >"$folder/dom"
[ -s "$folder/dom" ] || { fail "no page came back"; tail -5 "$folder/log"; exit 1; }
[ ! -s "$folder/console" ] || fail "the console says: $(cat "$folder/console")"
expect 'data-chart="roofline"' 4
expect 'data-chart="bars"' 12
expect 'data-chart="threads"' 1
expect 'data-chart="lengths"' 2
expect 'data-chart="stages"' 2
expect 'data-chart="heatmap"' 1
expect 'data-chart="alignment"' 1
expect '84 % of fma, 256 flop/byte' 2
expect 'q block 168, kv block 384: 4.10 ms, 1.000 times the fastest' 1

# The policy lets no other script run: one letter more, and the browser says so.
sed 's/"use strict";/"use strict"; /' "$folder/page.html" >"$folder/changed.html"
dump "$folder/changed.html" 1200 >/dev/null
grep -aq 'Content Security Policy' "$folder/console" || fail "a changed script ran"

# What moves: a copy without the policy and with a script that uses the page, and tells in its title.
# usage WIDTH < SCRIPT
usage() {
    { sed '/Content-Security-Policy/d; /<\/html>/d' "$folder/page.html"
        echo "<script>addEventListener('load',()=>{document.title=String((()=>{"
        cat
        echo "})())})</script></html>"; } >"$folder/used.html"
    dump "$folder/used.html" "$1" | sed -n 's/.*<title>\(TOLD[^<]*\)<\/title>.*/\1/p' | head -1
}
told=$(usage 1200 <<'SCRIPT'
const heads=[...document.querySelectorAll("[data-table=results] th")];
const fastest=heads.findIndex(h=>h.textContent==="fastest");
const column=()=>[...document.querySelectorAll("[data-table=results] tbody tr")]
  .map(r=>r.cells[fastest].dataset.n).filter(n=>n!=="").map(Number);
const rises=a=>a.every((x,i)=>!i||a[i-1]<=x);
const before=rises(column());
heads[fastest].firstChild.click();
const up=rises(column()), mark=heads[fastest].getAttribute("aria-sort");
heads[fastest].firstChild.click();
const down=rises(column().reverse());
heads[0].firstChild.click();
return "TOLD "+[before,up,mark,down,heads[fastest].getAttribute("aria-sort"),column().length];
SCRIPT
)
[ "$told" = "TOLD false,true,ascending,true,,26" ] || fail "sorting: '$told'"
told=$(usage 1200 <<'SCRIPT'
const bar=document.querySelector("[data-chart=bars] rect.own");
bar.dispatchEvent(new MouseEvent("click",{bubbles:true}));
return "TOLD "+bar.closest("figure").querySelector(".readout").textContent.startsWith("attune 0.1.0: fastest ");
SCRIPT
)
[ "$told" = "TOLD true" ] || fail "a tap on a bar: '$told'"
# A bar's length is its share of the plot; charts fill a phone and nothing hangs out of it.
told=$(usage 390 <<'SCRIPT'
const box=e=>e.getBoundingClientRect();
const svg=[...document.querySelectorAll("[data-chart=bars] svg")].find(s=>
  s.closest("figure").querySelector("h3").textContent==="prefill/d64/t512");
const bar=svg.querySelector("rect.own"), roof=svg.querySelector("line.roof"), axis=svg.querySelector("line.axis");
const share=box(bar).width/(box(roof).left-box(axis).left);
const wide=[...document.querySelectorAll("main *")].filter(e=>!e.closest(".scroll,.picture")&&
  box(e).right>innerWidth+1).map(e=>e.tagName+":"+e.textContent.slice(0,30));
const small=[...document.querySelectorAll("figure text")].filter(e=>parseFloat(getComputedStyle(e).fontSize)<10);
return "TOLD "+[share.toFixed(2),document.documentElement.scrollWidth<=innerWidth,wide.slice(0,3),small.length];
SCRIPT
)
[ "$told" = "TOLD 0.84,true,,0" ] || fail "on a phone: '$told'"
[ "$failures" -eq 0 ] && echo "the page works in $("$browser" --version 2>/dev/null | head -1)"
exit $((failures != 0))
