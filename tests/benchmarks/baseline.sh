#!/usr/bin/env bash
# What the rules tell a person to run, in our own words: the master diagnostic, the batch-size analysis, the
# correlation of out-of-memory errors with batch sizes, and the health and consistency of agents.
#
#     cd WORKSPACE && PATH=STUBS:$PATH USER=me SECTIONS=FILE [EVERY_RUN=1] bash baseline.sh
#
# The same greps, tails and process starts a run as the rules have; three changes, none of which adds work:
# calls of the W&B service are `true`, jq is a sed of one field, and the metadata of a run is looked for in files/,
# where W&B keeps it. EVERY_RUN=1 leaves out the rules' `head -10` and `head -20`, so that every run is answered for,
# as `agent status` does. $SECTIONS gets a line with the time at the start of each section.
export LC_ALL=C.UTF-8

section() { echo "$EPOCHREALTIME $1" >>"${SECTIONS:-/dev/null}"; }
at_most() { if [ -n "$EVERY_RUN" ]; then cat; else head -n "$1"; fi; }
field() { sed -n "s/.*\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p" "$1" 2>/dev/null; }
week_ago=$(date -d '7 days ago' +%Y-%m-%d 2>/dev/null || date -v-7d +%Y-%m-%d)
words='Error|Exception|CUDA|OOM|Traceback|FAILED|Killed'

section "jobs"
squeue -u "$USER" --format="%.10i %.25j %.8T %.12M %.9l %.6D %R"
sacct -u "$USER" --format=JobID,JobName%20,State,ExitCode,Elapsed,End -S "$week_ago" |
    grep -E "PREEMPT|TIMEOUT|FAILED|CANCELLED|OUT_OF_ME" | tail -20

section "epochs"
for id in $(squeue -u "$USER" -h -o "%i" | at_most 10); do
    array=$(echo "$id" | cut -d_ -f1)
    task=$(echo "$id" | cut -d_ -f2)
    for kind in run sweep; do
        out="logs/${kind}_${array}_${task}.out"
        [ -f "$out" ] || continue
        epoch=$(tail -50 "$out" 2>/dev/null | grep -oP "'epoch':\s*\K[0-9.]+" | tail -1)
        step=$(tail -50 "$out" 2>/dev/null | grep -oP "'global_step':\s*\K[0-9]+" | tail -1)
        spent=$(squeue -j "$id" -h -o "%M" 2>/dev/null)
        echo "$id: epoch ${epoch:-?}, step ${step:-?}, running $spent"
        break
    done
done

section "errors"
find logs -name "*.err" -mtime -1 -exec grep -l -E "$words" {} \; 2>/dev/null | while read -r err; do
    echo "$err:"
    grep -E "$words|PREEMPT" "$err" | tail -5
done

section "checkpoints"
for folder in outputs/*/; do
    run=$(basename "$folder")
    newest=$(ls -d "$folder"checkpoint-* 2>/dev/null | sort -t- -k2 -n | tail -1)
    [ -n "$newest" ] || continue
    step=$(echo "$newest" | grep -oP 'checkpoint-\K[0-9]+')
    config=$([ -f "${folder}hydra_config.yaml" ] && echo yes || echo no)
    echo "$step $run $config"
done | sort -rn | at_most 10

section "sweeps and short runs"
grep -h "Sweep ID:" logs/*.out 2>/dev/null | sort -u | tail -10
sacct -u "$USER" --format=JobID,JobName%20,State,Elapsed,ExitCode -S "$week_ago" | awk 'NR > 2 && $5 !~ /-/ {
    split($5, part, ":")
    if (part[1] * 60 + part[2] < 120) print $0, "under two hours"
}' | tail -15
du -sh outputs/ wandb/ logs/ 2>/dev/null | sort -hr

section "batch sizes"
for folder in outputs/*/; do
    config="${folder}hydra_config.yaml"
    [ -f "$config" ] || continue
    run=$(basename "$folder")
    batch=$(grep -oP 'per_device_train_batch_size:\s*\K[0-9]+' "$config" 2>/dev/null || echo "?")
    steps=$(grep -oP 'gradient_accumulation_steps:\s*\K[0-9]+' "$config" 2>/dev/null || echo 1)
    gpus=$(grep -oP 'n_gpu:\s*\K[0-9]+' "$config" 2>/dev/null)
    if [ -z "$gpus" ]; then
        gpus=$(grep -oP 'gpus?[_-]?per[_-]?node:\s*\K[0-9]+' "$config" 2>/dev/null || echo 1)
    fi
    all="?"
    if [[ $batch =~ ^[0-9]+$ && $steps =~ ^[0-9]+$ && $gpus =~ ^[0-9]+$ ]]; then all=$((batch * steps * gpus)); fi
    printf "%-20s %6s %6s %5s %10s\n" "${run:0:20}" "$batch" "$steps" "$gpus" "$all"
done | at_most 20

section "out of memory"
for err in logs/*.err; do
    if grep -q "CUDA\|out of memory\|OOM" "$err" 2>/dev/null; then
        job=$(echo "$err" | grep -oP '\d+(?=_\d+\.err)')
        echo "$err, job $job:"
        grep -oP "Tried to allocate [0-9.]+ [GM]iB" "$err" | tail -1
        run=$(grep -oP "Run: \K\S+" "${err%.err}.out" 2>/dev/null | tail -1)
        config="outputs/$run/hydra_config.yaml"
        if [ -n "$run" ] && [ -f "$config" ]; then
            batch=$(grep -oP 'per_device_train_batch_size:\s*\K[0-9]+' "$config" 2>/dev/null)
            steps=$(grep -oP 'gradient_accumulation_steps:\s*\K[0-9]+' "$config" 2>/dev/null)
            if [ -n "$batch" ]; then
                smaller=$(echo "$batch * 0.75" | bc | cut -d. -f1)
                more=$(echo "$steps * 1.33" | bc | cut -d. -f1)
                echo "  $run: batch $batch, accumulation $steps; better $smaller and $more"
            fi
        fi
    fi
done

section "agents of each sweep"
for sweep in $(grep -h "Sweep ID:" logs/*.out 2>/dev/null | grep -oP 'Sweep ID:\s*\K\S+' | sort -u); do
    jobs=$(grep -l "Sweep ID: $sweep\|sweep.*$sweep" logs/*.out 2>/dev/null | while read -r out; do
        job=$(echo "$out" | grep -oP '\d+(?=_\d+\.out)')
        squeue -j "$job" -h 2>/dev/null && echo 1
    done | wc -l)
    agents=$(true) # the W&B service
    printf "%-12s %-8s %-8s\n" "$sweep" "$jobs" "${agents:-?}"
done

section "zombies"
for folder in wandb/run-*/; do
    metadata="${folder}files/wandb-metadata.json"
    [ -f "$metadata" ] || continue
    run=$(field "$metadata" run_id)
    state=$(field "$metadata" state)
    if [ "$state" = running ]; then
        alive=$(grep -l "Run: $run" logs/*.out 2>/dev/null | while read -r out; do
            job=$(echo "$out" | grep -oP '\d+(?=_\d+\.out)')
            squeue -j "$job" -h 2>/dev/null && echo yes
        done | head -1)
        if [ -z "$alive" ]; then
            written=$(stat -c %Y "$metadata" 2>/dev/null || stat -f %m "$metadata" 2>/dev/null)
            echo "$run: no job, written $((($(date +%s) - written) / 60)) minutes ago"
        fi
    fi
done

section "heartbeats"
for folder in wandb/run-*/; do
    metadata="${folder}files/wandb-metadata.json"
    [ -f "$metadata" ] || continue
    state=$(field "$metadata" state)
    [ "$state" = running ] || continue
    run=$(field "$metadata" run_id)
    beat=$(field "$metadata" heartbeatAt)
    if [ -n "$beat" ]; then
        at=$(date -d "$beat" +%s 2>/dev/null || date -j -f "%Y-%m-%dT%H:%M:%S" "${beat%%.*}" +%s 2>/dev/null || echo 0)
        age=$((($(date +%s) - at) / 60))
        [ "$age" -le 30 ] || echo "$run: heartbeat $age minutes ago"
    fi
done

section "consistency"
for folder in wandb/run-*/; do
    metadata="${folder}files/wandb-metadata.json"
    [ -f "$metadata" ] || continue
    run=$(field "$metadata" run_id)
    state=$(field "$metadata" state)
    [ -n "$run" ] || continue
    slurm=None
    if grep -l "Run: $run\|run_id.*$run" logs/*.out 2>/dev/null | head -1 | grep -q .; then
        out=$(grep -l "Run: $run\|run_id.*$run" logs/*.out 2>/dev/null | head -1)
        job=$(echo "$out" | grep -oP '\d+(?=_\d+\.out|\d+\.out)')
        if [ -n "$job" ]; then slurm=$(squeue -j "$job" -h -o "%T" 2>/dev/null || echo Gone); fi
    fi
    issue=""
    if [ "$state" = running ] && [ "$slurm" = None ]; then issue="no job"; fi
    if [ "$state" = running ] && [ "$slurm" = Gone ]; then issue="job ended"; fi
    if [ "$state" = crashed ] && [ "$slurm" = RUNNING ]; then issue="state is old"; fi
    printf "%-15s %-10s %-10s %-20s\n" "${run:0:15}" "$state" "${slurm%%$'\n'*}" "$issue"
done | at_most 20
section "end"
