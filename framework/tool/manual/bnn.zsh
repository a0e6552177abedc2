#compdef bnn
# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of bnn in zsh. What may stand there `bnn complete` says.

local -a replies
replies=("${(@f)$(${words[1]} complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
if [[ $replies[1] == files ]]; then
    _files
else
    compadd -S '' -- ${replies[2,-1]:#*=}
    compadd -S '' -- ${(M)replies[2,-1]:#*=}
fi
