/*
 * Models as short text, so that a table row can hold one, also a wrong one:
 *
 *     x: f32[1,4,8,8]; w = f32[4,4,3,3]; y = Conv<group=2>(x, w); -> y
 *
 * Statements end with ';' and may be
 *
 *     ir 8                    the version of the format (8 when left out)
 *     opset 17, opset dom 1   imports ("opset 17" when there is none)
 *     x: f32[1,n,?]           an input; f32 without [] is one of any rank
 *     w = f32[2]              an initializer, every element 1
 *     w = f32[2](1, nan)      the same with its elements
 *     y, z = dom.Op<a=1>(x,)  a node; a name may be empty
 *     -> y                    an output, of any shape
 *     fn dom.F(x) -> (y) { }  a function of nodes; "opset 17;" may come first
 *
 * Attributes are integers, numbers with a point, "strings", [lists], graphs in
 * braces and tensors: value=i64[1](3). A rank or length that does not match is
 * written as it stands: most of these models are meant to be refused.
 */
#ifndef REPFOLD_TESTS_HOSTILE_TEXT_H
#define REPFOLD_TESTS_HOSTILE_TEXT_H

#include "../proto.h"

void text_model(Proto *file, const char *text);

#endif
