# fish completion for repfold
set -l verbs convert import verify lint diff inspect run bench sample \
    report doctor

complete -c repfold -n "not __fish_seen_subcommand_from $verbs" -f \
    -a "$verbs"
complete -c repfold -n "not __fish_seen_subcommand_from $verbs" -l version

function __repfold_option
    set -l verbs $argv[1]
    complete -c repfold -n "__fish_seen_subcommand_from $verbs" $argv[2..]
end

__repfold_option "$verbs" -s q -l quiet -d 'Print errors only'
__repfold_option "$verbs" -l no-sandbox -d 'Keep the right to other files'
__repfold_option "$verbs" -s h -l help -d 'Explain the command'

set -l reads convert verify lint diff inspect run bench
__repfold_option "$reads" -l freeze-initializers \
    -d 'Initializers that are also inputs are constant'
__repfold_option "$reads" -l assume-inference \
    -d 'Take training_mode=1 for inference'
__repfold_option "$reads" -r -l data-dir -d 'Where external data are'
__repfold_option "$reads import" -x -l max-memory -d 'Stop when more is needed'
__repfold_option "$reads" -r -l json -d 'Write the report as JSON'

set -l checks convert verify lint
__repfold_option "$checks" -r -l html -d 'Write the report as a page'
__repfold_option "$checks" -r -l junit -d 'Write a JUnit report'
__repfold_option "$checks diff" -l github -d 'Print GitHub annotations'
__repfold_option lint -r -l sarif -d 'Write the findings as SARIF'
__repfold_option diff -s v -l verbose -d 'Name each difference'

__repfold_option "report doctor" -r -l json -d 'Write the report as JSON'
__repfold_option report -r -l junit -d 'Write a JUnit report'
__repfold_option report -l github -d 'Print GitHub annotations'
__repfold_option report -a merge
__repfold_option convert -r -l output-dir -d 'Where several models go'
__repfold_option convert -x -l jobs -d 'How many models at once'
__repfold_option verify -x -l shard -d 'K/N, a part of all samples'

set -l folds convert lint
__repfold_option "$folds" -x -l only -d 'Fold by these rules alone'
__repfold_option "$folds" -x -l skip -d 'Fold by all rules but these'
__repfold_option "$folds" -x -l enable -d 'Also fold by these rules'
__repfold_option "$folds" -l allow-cost -d 'Also folds that raise the cost'
__repfold_option "$folds" -l inline-functions -d 'Functions called once'
__repfold_option "$folds" -x -l stop-after -d 'Make the first N folds only'
__repfold_option "$folds" -s v -l verbose -d 'List each fold and refusal'

set -l judges convert verify
__repfold_option "$judges run" -r -l input -d 'NAME=FILE.npy'
__repfold_option "$judges run bench" -x -l input-shape -d 'NAME:1,3,H,W'
__repfold_option "$judges" -r -l images -d 'Verify on a folder of them'
__repfold_option "$judges" -x -l max-images -d 'The first N of them'
__repfold_option "$judges" -x -l input-size -d 'That images get: 3,H,W'
__repfold_option "$judges" -x -l crop-pct -d 'Centre left of an image'
__repfold_option "$judges" -x -l interpolation -a 'nearest bilinear bicubic'
__repfold_option "$judges" -x -l mean -d 'Taken from images: R,G,B'
__repfold_option "$judges" -x -l std -d 'Which divides images: R,G,B'
__repfold_option "$judges" -x -l samples -d 'Random inputs to verify on'
__repfold_option "$judges sample" -x -l seed -d 'Random numbers start here'
__repfold_option "$judges" -x -l precision -a 'f64 both'
__repfold_option "run bench" -x -l precision -a 'f32 f64'
__repfold_option "$judges lint run bench" -x -l threads -d 'Processors'

set -l imports import convert
__repfold_option "$imports" -x -l key -d 'Of the state dict in a checkpoint'
__repfold_option "$imports" -x -l variant -d 'What a checkpoint must be of'
__repfold_option import -s v -l verbose -d 'List what does not fit'

__repfold_option "$imports sample" -s o -r -l output -d 'Where the model goes'
__repfold_option "$imports sample" -x -l external-data \
    -a 'never auto always' -d 'Weights beside the model'
__repfold_option convert -l in-place -d 'Replace the input file'
__repfold_option convert -l bench -d 'Time both models'
__repfold_option convert -l no-verify -d 'Write without verifying'
__repfold_option convert -l require-change -d 'Exit 1 when nothing folded'
__repfold_option convert -x -l dump-after -d 'Print the graph after a pass'

__repfold_option verify -r -l certificate -d 'Report of the conversion'

__repfold_option run -r -l output -d 'NAME=FILE.npy'
__repfold_option run -r -l data -d 'Run a backend test folder'
__repfold_option run -x -l rtol -d 'Relative tolerance'
__repfold_option run -x -l atol -d 'Absolute tolerance'
__repfold_option bench -x -l runs -d 'How often to run'

__repfold_option sample -x -l width-mult -d 'Multiply the channels'
__repfold_option "$imports sample" -x -l size -d 'Height and width'
__repfold_option sample -x -l classes -d 'Outputs of the classifier'
__repfold_option "$imports sample" -l dense -d 'Four feature maps'
__repfold_option "$imports sample" -l dynamic -d 'Leave the batch size open'
__repfold_option "$imports sample" -x -l dtype -a 'float16 float32 float64'
__repfold_option sample -f -a 'fastvit_t8 fastvit_t12 fastvit_s12
    fastvit_sa12 fastvit_sa24 fastvit_sa36 fastvit_ma36 mobileone_s0
    mobileone_s1 mobileone_s2 mobileone_s3 mobileone_s4 repvgg_a0 repvgg_a1
    repvgg_a2 repvgg_b0 repvgg_b1 repvgg_b1g4 repvgg_b2 repvgg_b2g4 repvgg_b3
    repvgg_b3g4 repvgg_d2se'

functions -e __repfold_option
