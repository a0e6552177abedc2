# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of bnn in fish. What may stand there `bnn complete` says.

function __bnn_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l replies ($words[1] complete -- $words[2..-1] 2>/dev/null)
    if test "$replies[1]" = files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $replies[2..-1]
    end
end

complete -c bnn -f -a '(__bnn_complete)'
