#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# quota.sh PERCENT COMMAND...: runs the command in a cgroup that may use PERCENT of one CPU. 77 where
# this system lets nobody make one.
percent=$1
shift
for root in /sys/fs/cgroup /sys/fs/cgroup/cpu; do
    group=$root/attune-test-$$
    mkdir "$group" 2>/dev/null || continue
    if { echo "${percent}000 100000" >"$group/cpu.max" ||
        { echo 100000 >"$group/cpu.cfs_period_us" && echo "${percent}000" >"$group/cpu.cfs_quota_us"; }; } 2>/dev/null
    then
        bash -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" "$@"
        code=$?
        rmdir "$group"
        exit $code
    fi
    rmdir "$group"
done
echo "no cgroup can be made here"
exit 77
