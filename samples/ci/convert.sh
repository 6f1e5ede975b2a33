#!/bin/sh
# Converts a model and leaves the reports to attach:
#
#     convert.sh TRAIN.onnx DEPLOY.onnx REPORTS
#
# REPORTS gets report.html for people, report.json with the certificates, and
# junit.xml for the CI's own page.  The exit status is that of the conversion.
set -eu

train=$1 deploy=$2 reports=$3
mkdir -p "$reports"
repfold convert "$train" -o "$deploy" --html "$reports/report.html" \
    --json "$reports/report.json" --junit "$reports/junit.xml"
