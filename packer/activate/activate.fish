# Activates the environment that this file lies in (fish), and first makes it name the place where it
# lies, if it was moved:
#
#	source /path/to/environment/bin/activate.fish
#
# `deactivate` undoes it.  CONDA_CHANGEPS1=false leaves the prompt alone; ENVBUILD_NO_RELOCATE=1
# activates a moved environment as it is; ENVBUILD_SKIP_CHECK=1 takes any host.
function _envbuild_error
    printf 'activate: %s\n' $argv[1] >&2
end

# Prints the environment's folder from the path of this file, in the name that the user goes by.
function _envbuild_find
    set -l found (/bin/sh -c 'unset CDPATH
        at=$(cd -- "${1%/*}/.." 2>/dev/null && pwd)
        [ -f "$at/conda-meta/envbuild/relocation" ] || {
            # Perhaps a link to this file stands elsewhere.
            at=$(command -p readlink -f -- "$1")
            at=${at%/*/*}
        }
        printf "%s\n" "$at"' sh $argv[1])
    if test (count $found) -eq 1; and test -f "$found/conda-meta/envbuild/relocation"
        printf '%s\n' $found
        return 0
    end
    _envbuild_error "cannot tell where the environment lies; source its bin/activate.fish by its path"
    return 1
end

# Is the host good enough, and do the files name this place?
function _envbuild_prepare
    if test -n "$ENVBUILD_NO_RELOCATE"; and test -n "$ENVBUILD_SKIP_CHECK"
        return 0
    end
    eval (string escape -- "$argv[1]/bin/conda-unpack") --activate
    and return 0
    _envbuild_error "'$argv[1]' is not activated"
    return 1
end

# Keeps the value of a variable, where it has one.
function _envbuild_keep
    set -l _envbuild_word $argv[1]
    set -e _ENVBUILD_OLD_$_envbuild_word
    if set -q $_envbuild_word
        set -gx _ENVBUILD_OLD_$_envbuild_word $$_envbuild_word
    end
end

function _envbuild_prompt
    if set -q CONDA_CHANGEPS1; and contains -- "$CONDA_CHANGEPS1" false False FALSE no off 0
        return
    end
    set -gx CONDA_PROMPT_MODIFIER "($argv[1]) "
    functions -q fish_prompt
    or return
    functions -c fish_prompt _envbuild_old_fish_prompt
    function fish_prompt
        set -l _envbuild_last $status
        printf '%s' "$CONDA_PROMPT_MODIFIER"
        # The prompt that was there may look at $status.
        /bin/sh -c "exit $_envbuild_last"
        _envbuild_old_fish_prompt
    end
end

function _envbuild_set
    source "$argv[1]/conda-meta/envbuild/variables.fish"
    set -gx _ENVBUILD_PREFIX $argv[1]
    set -gx _ENVBUILD_VARIABLES "$_envbuild_names"
    for word in CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER CONDA_SHLVL $_envbuild_names
        _envbuild_keep $word
    end
    if test -z "$_envbuild_name"
        set -g _envbuild_name (string replace -r '.*/' '' -- $argv[1])
    end
    set -gx CONDA_PREFIX $argv[1]
    set -gx CONDA_DEFAULT_ENV $_envbuild_name
    test -n "$CONDA_SHLVL"
    or set -gx CONDA_SHLVL 1
    set -gx PATH $argv[1]/bin $PATH
    _envbuild_prompt $_envbuild_name
    _envbuild_set_variables
    set -e _envbuild_name
    set -e _envbuild_names
    functions -e _envbuild_set_variables
end

# The folder's scripts by code point, whatever the locale.
function _envbuild_run_scripts
    set -l scripts $argv[1]/*.fish
    set -q scripts[1]
    or return
    for script in (printf '%s\n' $scripts | /bin/sh -c 'LC_ALL=C command -p sort')
        test -f $script
        and source $script
    end
end

function _envbuild_activate
    set -l prefix (_envbuild_find $argv[1])
    or return
    _envbuild_prepare $prefix
    or return
    if test -n "$_ENVBUILD_PREFIX"; and test -f "$_ENVBUILD_PREFIX/bin/deactivate.fish"
        source "$_ENVBUILD_PREFIX/bin/deactivate.fish"
    end
    # A function of this name that belongs to somebody else stays theirs.
    if not functions -q deactivate
        set -g _ENVBUILD_FUNCTION 1
        function deactivate
            source "$_ENVBUILD_PREFIX/bin/deactivate.fish"
        end
    end
    _envbuild_set $prefix
    _envbuild_run_scripts "$CONDA_PREFIX/etc/conda/activate.d"
    return 0
end

_envbuild_activate (status -f)
set -g _envbuild_status $status
functions -e _envbuild_activate _envbuild_error _envbuild_find _envbuild_keep _envbuild_prepare \
    _envbuild_prompt _envbuild_run_scripts _envbuild_set
if test $_envbuild_status -eq 0
    set -e _envbuild_status
else
    set -e _envbuild_status
    false
end
