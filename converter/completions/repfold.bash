# bash completion for repfold
# shellcheck shell=bash

_repfold_options() {
    local common='--quiet --no-sandbox --help'
    local reads='--freeze-initializers --assume-inference --max-memory --json'
    reads+=' --data-dir'
    local folds='--only --skip --enable --allow-cost --inline-functions'
    folds+=' --stop-after --verbose'
    local checks='--html --junit --github'
    local judges='--input --input-shape --samples --seed --precision'
    judges+=' --images --max-images --input-size --crop-pct --interpolation'
    judges+=' --mean --std'
    local imports='--key --variant --size --dense --dynamic --dtype'
    case $1 in
    import) echo "$common $imports --output --external-data --max-memory
        --verbose" ;;
    convert) echo "$common $reads $folds $judges $checks $imports --threads
        --output --in-place --no-verify --require-change --dump-after --bench
        --output-dir --jobs --external-data" ;;
    verify) echo "$common $reads $judges $checks --threads --certificate
        --shard" ;;
    lint) echo "$common $reads $folds $checks --threads --sarif" ;;
    report) echo "$common --json --junit --github" ;;
    doctor) echo "$common --json" ;;
    diff) echo "$common $reads --github --verbose" ;;
    inspect) echo "$common $reads" ;;
    run) echo "$common $reads --threads --input --input-shape --output --data
        --rtol --atol --precision" ;;
    bench) echo "$common $reads --threads --input-shape --runs --precision" ;;
    sample) echo "$common --output --width-mult --size --classes --dense
        --dynamic --dtype --seed --external-data" ;;
    esac
}

_repfold() {
    local current=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words=
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    compopt -o default 2>/dev/null
    if [ "$COMP_CWORD" -eq 1 ]; then
        words='convert import verify lint diff inspect run bench sample report
            doctor --help --version'
    elif [ "$previous" = --precision ]; then
        words='f32 f64 both'
    elif [ "$previous" = --interpolation ]; then
        words='nearest bilinear bicubic'
    elif [ "$previous" = --dtype ]; then
        words='float16 float32 float64'
    elif [ "$previous" = --external-data ]; then
        words='never auto always'
    elif [[ $current = -* ]]; then
        words=$(_repfold_options "$verb")
    elif [ "$verb" = sample ] && [ "$COMP_CWORD" -eq 2 ]; then
        words='fastvit_t8 fastvit_t12 fastvit_s12 fastvit_sa12 fastvit_sa24
            fastvit_sa36 fastvit_ma36 mobileone_s0 mobileone_s1 mobileone_s2
            mobileone_s3 mobileone_s4 repvgg_a0 repvgg_a1 repvgg_a2 repvgg_b0
            repvgg_b1 repvgg_b1g4 repvgg_b2 repvgg_b2g4 repvgg_b3 repvgg_b3g4
            repvgg_d2se'
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _repfold repfold
