# SPDX-License-Identifier: GPL-3.0-or-later
# exports.awk HEADER...: the linker's version script that lets libbnn.so export what the public headers declare, and nothing else. A declaration begins at the beginning of a line.
BEGIN { print "{\nglobal:" }
/^([a-z]|FILE)/ && !/^(static|typedef)/ && match($0, /bnn_[a-z0-9_]+[([;]/) { print "    " substr($0, RSTART, RLENGTH - 1) ";" }
END { print "local:\n    *;\n};" }
