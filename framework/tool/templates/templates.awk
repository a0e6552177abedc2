# SPDX-License-Identifier: GPL-3.0-or-later
# templates.awk -v kind=KIND -v what=TEXT -v use=OPTIONS FILE...: the files as C, for `bnn new-KIND`: of each its name, its lines, NULL; at the end another NULL.
# @kind@, @what@ and @use@ are replaced.
BEGIN { print "extern const char *const tool_template_" kind "[];\nconst char *const tool_template_" kind "[] = {" }
FNR == 1 {
    if (NR > 1) print "    0,"
    sub(/.*\//, "", FILENAME)
    print "    \"" FILENAME "\","
}
{
    gsub(/@kind@/, kind)
    gsub(/@what@/, what)
    gsub(/@use@/, use)
    gsub(/[\\"]/, "\\\\&")
    print "    \"" $0 "\\n\","
}
END { print "    0,\n    0};" }
