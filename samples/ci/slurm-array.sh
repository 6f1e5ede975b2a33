#!/bin/sh
#SBATCH --job-name=repfold-verify
#SBATCH --array=1-16
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=01:00:00
#
# One shard of a verification for each task of a Slurm array:
#
#     job=$(sbatch --parsable slurm-array.sh A.onnx B.onnx REPORTS)
#     sbatch --dependency=afterany:"$job" --wrap \
#         'repfold report merge REPORTS/*.json --junit junit.xml'
set -eu

a=$1 b=$2 reports=$3
mkdir -p "$reports"
repfold verify "$a" "$b" --samples $((4 * SLURM_ARRAY_TASK_COUNT)) -q \
    --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
    --threads "$SLURM_CPUS_PER_TASK" \
    --json "$reports/$SLURM_ARRAY_TASK_ID.json"
