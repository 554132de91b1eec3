# Undoes what bin/activate.fish of this environment did; the function `deactivate` reads it.

# The folder's scripts from the last to the first, by code point.
function _envbuild_run_scripts_down
    set -l scripts $argv[1]/*.fish
    set -q scripts[1]
    or return
    for script in (printf '%s\n' $scripts | /bin/sh -c 'LC_ALL=C command -p sort -r')
        test -f $script
        and source $script
    end
end

# The first variable gets back the value kept in the second, or goes where it had none.
function _envbuild_restore
    set -l _envbuild_word $argv[1]
    set -l _envbuild_kept $argv[2]
    set -e -g $_envbuild_word
    set -q $_envbuild_kept
    or return
    # A universal one of that value stood behind ours and is back already.
    if not set -q -U $_envbuild_word; or test "$$_envbuild_word" != "$$_envbuild_kept"
        set -gx $_envbuild_word $$_envbuild_kept
    end
    set -e -g $_envbuild_kept
end

function _envbuild_deactivate
    test -n "$_ENVBUILD_PREFIX"
    or return 0
    _envbuild_run_scripts_down "$_ENVBUILD_PREFIX/etc/conda/deactivate.d"
    for word in (string split ' ' -- "$_ENVBUILD_VARIABLES") CONDA_PREFIX CONDA_DEFAULT_ENV \
            CONDA_PROMPT_MODIFIER CONDA_SHLVL
        test -n "$word"
        and _envbuild_restore $word _ENVBUILD_OLD_$word
    end
    # What others put into PATH meanwhile stays.
    if set -l i (contains -i -- $_ENVBUILD_PREFIX/bin $PATH)
        set -e PATH[$i]
    end
    if functions -q _envbuild_old_fish_prompt
        functions -e fish_prompt
        functions -c _envbuild_old_fish_prompt fish_prompt
        functions -e _envbuild_old_fish_prompt
    end
    set -e -g _ENVBUILD_PREFIX
    set -e -g _ENVBUILD_VARIABLES
    return 0
end

_envbuild_deactivate
functions -e _envbuild_deactivate _envbuild_restore _envbuild_run_scripts_down
if set -q _ENVBUILD_FUNCTION
    functions -e deactivate
    set -e -g _ENVBUILD_FUNCTION
end
true
