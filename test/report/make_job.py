#!/usr/bin/env python3
"""Job directories as Cragon leaves them, without running anything.

make_job.py KIND DIR     KIND: story, days, running, empty, hostile

story    a job of an hour that met memory, a time limit, a lost machine and a full disk
days     three days at 1 Hz with five processes (259,200 rows)
running  a job of two minutes that is not over
empty    a job that never started
hostile  everything a page must not believe

There are no images: those are written by Cragon alone.
"""

import datetime
import json
import math
import os
import random
import sys

MIB = 1 << 20
GIB = 1 << 30
BEGIN = 1763967600  # 2025-11-24 07:00 UTC
SYSTEM = (
    "time,attempt,cpu_percent,cpu_cores_percent,memory_total_bytes,memory_available_bytes,"
    "swap_total_bytes,swap_used_bytes,psi_cpu_percent,psi_memory_percent,psi_io_percent,"
    "disk_read_bytes_per_s,disk_written_bytes_per_s,net_received_bytes_per_s,"
    "net_sent_bytes_per_s,load_1,job_processes,job_cpu_percent,job_rss_bytes,"
    "cgroup_memory_bytes,cgroup_limit_bytes"
)
XSS = "<script>alert(1)</script>"


def stamp(t):
    d = datetime.datetime.fromtimestamp(t, datetime.timezone.utc)
    return d.strftime("%Y-%m-%dT%H:%M:%S.%f") + "+00:00"


def attempt(start, end, how, **more):
    a = {
        "started": stamp(start),
        "ended": None if end is None else stamp(end),
        "host": "node17",
        "boot_id": "00000000-0000-0000-0000-000000000000",
        "pid": 4242,
        "pid_start": 1,
        "from_image": None,
        "checkpoints": [],
        "exit_code": None,
        "signal": None,
    }
    if how:
        a["how"] = how
    a.update(more)
    return a


def image(number, t, memory, reason="periodic", pause=0.12):
    return {
        "number": number,
        "time": stamp(t),
        "pause_ns": int(pause * 1e9),
        "duration_ns": int((pause + memory / (600 * MIB)) * 1e9),
        "memory_bytes": int(memory),
        "stored_bytes": int(memory * 0.31),
        "reason": reason,
    }


def diagnosis(cause, recoverable, evidence, remedy):
    return {"cause": cause, "recoverable": recoverable, "evidence": evidence, "remedy": remedy}


def job(command, attempts, **more):
    return {
        "format": 1,
        "id": "swift-otter-17",
        "command": command,
        "directory": "/home/ada/project/run-17",
        "environment_digest": "0" * 32,
        "created": stamp(BEGIN),
        "first_image": 1,
        "settings": {},
        "attempts": attempts,
        **more,
    }


def write(directory, name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as f:
        f.write(text)


def system_row(t, number, cpu, memory, rng, limit=4 * GIB):
    psi = max(0.0, (memory / limit - 0.8) * 200)
    return (
        f"{stamp(t)},{number},{cpu / 8 + 3 + rng.random():.1f},"
        f"{cpu / 8:.1f};{cpu / 7:.1f},{64 * GIB},{int(52 * GIB - memory)},{8 * GIB},{64 * MIB},"
        f"{rng.random() * 3:.2f},{psi:.2f},{rng.random():.2f},{int(rng.random() * 4e6)},"
        f"{int(2e7 * (rng.random() > 0.97) + 1e5)},{int(rng.random() * 9000)},"
        f"{int(rng.random() * 7000)},1.50,5,{cpu:.1f},{int(memory)},{int(memory * 1.04)},{limit}"
    )


def process_row(t, number, processes):
    return json.dumps(
        {
            "time": stamp(t),
            "attempt": number,
            "processes": [
                {
                    "pid": pid,
                    "ppid": 1,
                    "comm": comm,
                    "state": "R",
                    "threads": 2,
                    "cpu_percent": round(cpu, 1),
                    "rss_bytes": int(rss),
                    "pss_bytes": None,
                    "read_bytes_per_s": 0,
                    "written_bytes_per_s": 4096,
                    "minor_faults": 120,
                    "major_faults": 0,
                }
                for pid, comm, cpu, rss in processes
            ],
        },
        separators=(",", ":"),
    )


def five(memory, cpu):
    return [
        (17, "sh", 0.0, 2 * MIB),
        (21, "solver", cpu * 0.62, memory * 0.70),
        (22, "mesh", cpu * 0.21, memory * 0.17),
        (23, "writer", cpu * 0.12, memory * 0.09),
        (24, "python3", cpu * 0.05, memory * 0.04),
    ]


def story(directory):
    rng = random.Random(7)
    command = ["sh", "-c", "./mesh input.dat | ./solver --steps 40000 >'result of run 17.txt'"]
    # start, end, memory at start and end; the waiting times are of a batch queue
    spans = [
        (0, 1500, 0.5, 4.0),
        (1520, 2700, 3.9, 5.6),
        (34000, 35500, 5.3, 6.4),
        (35520, 36300, 6.2, 6.6),
        (36900, 38400, 6.5, 6.9),
    ]
    attempts, system, process, number = [], [SYSTEM], [], 0
    for k, (start, end, low, high) in enumerate(spans):
        limit = (4 if k == 0 else 6 if k == 1 else 8) * GIB
        mine = []
        for t in range(start, end):
            part = (t - start) / (end - start)
            memory = (low + (high - low) * part) * GIB
            if t == 2000:
                memory *= 1.06  # a peak of one sample
            cpu = 380 + 25 * math.sin(t / 90) + rng.random() * 20
            system.append(system_row(BEGIN + t, k + 1, cpu, memory, rng, limit))
            process.append(process_row(BEGIN + t, k + 1, five(memory, cpu)))
            last = t == end - 1 and k < 2
            if (t - start) % 300 == 299 and t < end - 60 or last:
                number += 1
                reason = ("allocation", "time-limit")[k] if last else "periodic"
                mine.append(image(number, BEGIN + t, memory, reason, 0.05 + memory / (9 * GIB)))
        attempts.append(attempt(BEGIN + start, BEGIN + end, "stopped", checkpoints=mine, exit_code=75))
    for k in range(1, 5):
        attempts[k]["from_image"] = attempts[k - 1]["checkpoints"][-1]["number"]
    attempts[0]["diagnosis"] = diagnosis(
        "allocation-failed",
        True,
        ["mmap of 268435456 bytes failed with ENOMEM at 07:24:59", "memory cgroup: 4.0 GiB of 4.0 GiB in use"],
        "give it more memory: the next try needs about 7.6 GiB",
    )
    attempts[1]["diagnosis"] = diagnosis(
        "time-limit", True, ["Slurm ends the job at 07:45:00", "the last checkpoint took 1.4 s"], "submit it again: it goes on where it was"
    )
    attempts[2].update(how="lost", ended=None, exit_code=None, host="node09")
    attempts[2]["diagnosis"] = diagnosis(
        "node-lost", True, ["no sign of life after 16:51:39", "node09 has another boot id since"], "resume it on another machine"
    )
    attempts[3].update(how="signal", signal=9, exit_code=137)
    attempts[3]["diagnosis"] = diagnosis(
        "disk-full", True, ["write to result of run 17.txt failed with ENOSPC", "/scratch: 0 B of 2.0 TiB free"], "make room on /scratch"
    )
    attempts[4].update(how="exit", exit_code=0)
    attempts[4]["diagnosis"] = diagnosis("done", False, ["exit code 0 after 5 attempts"], "")
    forecast = {
        "peak_bytes": int(6.9 * GIB),
        "growth_bytes_per_s": 290000,
        "next_bytes": int(7.6 * GIB),
        "text": "The job used at most 6.9 GiB and grew by 283.2 KiB/s; with a margin of 10 %, ask for 7.6 GiB.",
    }
    write(directory, "job.json", json.dumps(job(command, attempts, forecast=forecast), indent=2))
    write(directory, "system_metrics.csv", "\r\n".join(system) + "\r\n")
    write(directory, "process_metrics.json", "\n".join(process) + "\n")
    calls = [f"{stamp(BEGIN + 1499 + i / 50)},21,{21 + i},mmap,ENOMEM,MAP_FAILED,0x0,0x10000000,0x3,0x22,0xffffffff,0x0,held" for i in range(9)]
    calls += [f"{stamp(BEGIN + 900 + i)},24,24,malloc,ENOMEM,NULL,0x7fffffffffff0000,more than the machine has" for i in range(3)]
    write(directory, "intercepted.log", "\n".join(calls) + "\n")
    log = [f"{stamp(BEGIN + c)} info image {i} written" for i, c in enumerate(range(0, 1500, 300))]
    log.append(f"{stamp(BEGIN + 36300)} warning disk full: /scratch has 0 B left")
    log.append(f"{stamp(BEGIN + 38400)} info the program is done: exit code 0")
    write(directory, "cragon.log", "\n".join(log) + "\n")


def days(directory):
    rng = random.Random(3)
    command = ["./simulate", "--days", "3", "climate-2025.nc"]
    seconds = 259200
    ends = [70000, 151000, seconds]
    starts = [0, 70000, 151000]
    attempts, number = [], 0
    for k in range(3):
        mine = []
        for t in range(starts[k] + 900, ends[k] - 300, 900):
            number += 1
            mine.append(image(number, BEGIN + t, (2 + t / seconds) * GIB, pause=0.08 + rng.random() * 0.05))
        attempts.append(attempt(BEGIN + starts[k], BEGIN + ends[k], "signal", signal=9, exit_code=137, checkpoints=mine,
                                from_image=attempts[-1]["checkpoints"][-1]["number"] if k else None))
        attempts[k]["diagnosis"] = diagnosis("oom-killed", True, ["memory.events: oom_kill 1"], "ask for 6 GiB")
    attempts[2].update(how="exit", signal=None, exit_code=0)
    attempts[2]["diagnosis"] = diagnosis("done", False, [], "")
    write(directory, "job.json", json.dumps(job(command, attempts)))
    with open(os.path.join(directory, "system_metrics.csv"), "w", encoding="ascii") as system, open(
        os.path.join(directory, "process_metrics.json"), "w", encoding="ascii"
    ) as process:
        system.write(SYSTEM + "\r\n")
        for t in range(seconds):
            number = 1 + (t >= ends[0]) + (t >= ends[1])
            memory = (2 + t / seconds + 0.2 * math.sin(t / 4000) + 0.02 * rng.random()) * GIB
            cpu = 370 + 20 * rng.random()
            if t == 123456:  # a peak of one second
                memory, cpu = 3.9 * GIB, 799.0
            system.write(system_row(BEGIN + t, number, cpu, memory, rng) + "\r\n")
            process.write(process_row(BEGIN + t, number, five(memory, cpu)) + "\n")


def running(directory):
    rng = random.Random(1)
    now = datetime.datetime.now().timestamp()
    checkpoints = [image(1, now - 60, 300 * MIB), 2]
    write(directory, "job.json", json.dumps(job(["./a.out"], [attempt(now - 120, None, None, checkpoints=checkpoints)])))
    rows = [system_row(now - 120 + t, 1, 100, (200 + t) * MIB, rng) for t in range(120)]
    write(directory, "system_metrics.csv", SYSTEM + "\r\n" + "\r\n".join(rows) + "\r\n" + rows[-1][:40])
    rows = [process_row(now - 120 + t, 1, [(9, "a.out", 100, (200 + t) * MIB)]) for t in range(120)]
    write(directory, "process_metrics.json", "\n".join(rows) + "\n" + rows[-1][:50])


def empty(directory):
    write(directory, "job.json", json.dumps(job(["true"], [])))


def hostile(directory):
    evil = XSS + "\"' onload=alert(1) \u2028\u2029\u202e<!--<script>]]>&amp;\\"
    a = [
        attempt(BEGIN, BEGIN + 100, "exit", exit_code=3, host=evil, checkpoints=[1, -5, {}, "x", None, image(2, BEGIN + 50, 5)]),
        attempt(BEGIN - 10**6, BEGIN - 10**7, evil, signal=10**9, from_image=99, lost_ns=-1),
        7,
        attempt(BEGIN + 200, BEGIN + 300, "signal", signal=11, exit_code=139, from_image=2, lost_ns=2**62),
    ]
    a[3]["diagnosis"] = diagnosis(evil, "yes", [evil, 5, None, [evil]], evil)
    more = {"forecast": {"peak_bytes": 1e308, "growth_bytes_per_s": -5, "next_bytes": evil, "text": evil}}
    write(directory, "job.json", json.dumps(job([XSS, evil, 5, ""], a, **more) | {"id": evil}))
    rows = [SYSTEM, "time,attempt,job_rss_bytes", f"{stamp(BEGIN)},1,5e3", f"{stamp(BEGIN + 9)},1,1e999", f"{stamp(BEGIN + 20)},x,1"]
    rows += [f"{stamp(BEGIN + 30)},1,-7,8,9", "," * 5000, "\0\0\0", f"{stamp(BEGIN + 40)},2,{10**400}", f"{stamp(BEGIN + 50)},2,7000"]
    rows += ["x" * (5 << 20), "9999-12-31T23:59:59.000000+00:00,1,5", "0001-01-01T00:00:00Z,1,5", f"{stamp(BEGIN + 60)},2,9000"]
    write(directory, "system_metrics.csv", "\n".join(rows))
    lines = [process_row(BEGIN + t, 1, [(t, evil if t % 2 else "</script>\"'\u2028", t, t * MIB)]) for t in range(20)]
    lines += ["{" * 9000, "[" * 9000, '{"time":"', '{"time":1,"processes":[{"pid":1,"comm":"a', "null", "{}", '{"processes":[{}]}']
    lines += [process_row(BEGIN + 30, 1, [(10**5 + i, f"p{i}", 1, MIB) for i in range(9000)])]
    write(directory, "process_metrics.json", "\n".join(lines))
    calls = [f"{stamp(BEGIN + i)},1,1,{evil.replace(',', ';')}{i},<b>,NULL,0xg,{XSS}" for i in range(90)]
    write(directory, "intercepted.log", "\n".join(calls) + "\n,,,,,,,\n" + "," * 9000)
    with open(os.path.join(directory, "cragon.log"), "wb") as f:
        f.write(f"{stamp(BEGIN)} error {evil}\n".encode() + b"\xff\xfe\x00\x1b[31m red \xc0\xaf\xed\xa0\x80\nno spaces\n")


def main():
    kinds = {"story": story, "days": days, "running": running, "empty": empty, "hostile": hostile}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], mode=0o700)
    kinds[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    main()
