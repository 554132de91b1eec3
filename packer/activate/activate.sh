# Activates the environment that this file lies in, and first makes it name the place where it
# lies, if it was moved:
#
#	source /path/to/environment/bin/activate       (bash, zsh)
#	ENVBUILD_PREFIX=/path/to/environment           (any other sh: it does not tell a
#	. /path/to/environment/bin/activate             script where it lies)
#
# `deactivate` undoes it.  CONDA_CHANGEPS1=false leaves the prompt alone; ENVBUILD_NO_RELOCATE=1
# activates a moved environment as it is; ENVBUILD_SKIP_CHECK=1 takes any host.
# shellcheck shell=sh disable=SC1090,SC1091,SC3013

_envbuild_error() {
	printf 'activate: %s\n' "$1" >&2
}

_envbuild_is_environment() {
	[ -f "$1/conda-meta/envbuild/relocation" ]
}

# Prints a folder's path, whatever functions of these names there are.
_envbuild_folder() {
	CDPATH=''
	if [ -n "${ZSH_VERSION-}" ]; then
		builtin cd "$1" && builtin pwd
	else
		command cd "$1" && command pwd
	fi
}

# Sets _envbuild_prefix from the path of this file, in the name that the user goes by.
_envbuild_find() {
	_envbuild_prefix=
	if [ -n "$1" ]; then
		case $1 in
		*/*) _envbuild_prefix=$(_envbuild_folder "${1%/*}/..") || : ;;
		*) _envbuild_prefix=$(_envbuild_folder ..) || : ;;
		esac
		if ! _envbuild_is_environment "$_envbuild_prefix"; then
			# Perhaps a link to this file stands elsewhere.
			_envbuild_prefix=$(readlink -f "$1" 2>/dev/null) || :
			_envbuild_prefix=${_envbuild_prefix%/*/*}
		fi
	elif [ -n "${ENVBUILD_PREFIX-}" ]; then
		_envbuild_prefix=$(_envbuild_folder "$ENVBUILD_PREFIX") || :
	fi
	_envbuild_is_environment "$_envbuild_prefix" && return
	_envbuild_error "cannot tell where the environment lies; set ENVBUILD_PREFIX to its folder before"
	return 1
}

# Is the host good enough, and do the files name this place?  What was not moved is left alone.
_envbuild_prepare() {
	[ -z "${ENVBUILD_NO_RELOCATE-}" ] || [ -z "${ENVBUILD_SKIP_CHECK-}" ] || return 0
	"$1/bin/conda-unpack" --activate && return
	_envbuild_error "'$1' is not activated"
	return 1
}

_envbuild_run_scripts() {
	# The folder's scripts by code point, whatever the locale.
	_envbuild_list=
	if [ -d "$1" ]; then
		_envbuild_list=$(
			LC_ALL=C
			export LC_ALL
			# Names are put in for patterns also where the user wants none.
			if [ -n "${ZSH_VERSION-}" ]; then
				setopt nonomatch glob
			else
				set +f
			fi
			for _envbuild_script in "$1"/*.sh; do
				[ ! -f "$_envbuild_script" ] || printf '%s\n' "$_envbuild_script"
			done
		)
	fi
	while [ -n "$_envbuild_list" ]; do
		_envbuild_script=${_envbuild_list%%"
"*}
		if [ "$_envbuild_script" = "$_envbuild_list" ]; then
			_envbuild_list=
		else
			_envbuild_list=${_envbuild_list#*"
"}
		fi
		# They were not written for `set -eu`: many end with a test that is false.
		_envbuild_flags=$-
		set +eu
		. "$_envbuild_script"
		case $_envbuild_flags in *e*) set -e ;; esac
		case $_envbuild_flags in *u*) set -u ;; esac
	done
	unset _envbuild_flags _envbuild_list _envbuild_script
}

# Keeps the value of $1 in $2, where it has one.
_envbuild_keep() {
	unset "$2"
	eval "_envbuild_kept=\${$1+x}"
	[ -z "$_envbuild_kept" ] || eval "export $2=\"\$$1\""
	unset _envbuild_kept
}

_envbuild_prompt() {
	case ${CONDA_CHANGEPS1-} in
	false | False | FALSE | no | off | 0) return 0 ;;
	esac
	export CONDA_PROMPT_MODIFIER="($1) "
	[ -n "${PS1+x}" ] || return 0
	_ENVBUILD_OLD_PS1=$PS1
	PS1="($1) $PS1"
}

_envbuild_set() {
	_ENVBUILD_PREFIX=$1
	_ENVBUILD_VARIABLES=
	export _ENVBUILD_PREFIX _ENVBUILD_VARIABLES
	for _envbuild_script in CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER CONDA_SHLVL; do
		_envbuild_keep "$_envbuild_script" "_ENVBUILD_OLD_$_envbuild_script"
	done
	. "$1/conda-meta/envbuild/variables.sh"
	[ -n "$_envbuild_name" ] || _envbuild_name=${1##*/}
	export CONDA_PREFIX="$1" CONDA_DEFAULT_ENV="$_envbuild_name"
	export CONDA_SHLVL="${CONDA_SHLVL:-1}"
	export PATH="$1/bin${PATH:+:$PATH}"
	_envbuild_prompt "$_envbuild_name"
	_ENVBUILD_VARIABLES=${_envbuild_names# }
	while [ -n "$_envbuild_names" ]; do
		_envbuild_script=${_envbuild_names##* }
		_envbuild_names=${_envbuild_names% *}
		_envbuild_keep "$_envbuild_script" "_ENVBUILD_OLD_$_envbuild_script"
	done
	_envbuild_set_variables
	hash -r 2>/dev/null || :
	unset _envbuild_name _envbuild_names _envbuild_script
	unset -f _envbuild_set_variables
}

_envbuild_activate() {
	_envbuild_find "$1" || return
	_envbuild_prepare "$_envbuild_prefix" || return
	if [ -n "${_ENVBUILD_PREFIX-}" ] && [ -f "$_ENVBUILD_PREFIX/bin/deactivate" ]; then
		_envbuild_next=$_envbuild_prefix
		. "$_ENVBUILD_PREFIX/bin/deactivate"
		_envbuild_prefix=$_envbuild_next
	fi
	# A function or alias of this name that belongs to somebody else stays theirs.  But for the
	# quotes the alias would be put in while this file is read.
	if ! alias deactivate >/dev/null 2>&1 && [ "$(command -v deactivate)" != deactivate ]; then
		_ENVBUILD_FUNCTION=1
		eval 'deactivate() { . "$_ENVBUILD_PREFIX/bin/deactivate"; }'
	fi
	_envbuild_set "$_envbuild_prefix"
	_envbuild_run_scripts "$CONDA_PREFIX/etc/conda/activate.d"
}

_envbuild_file=
if [ -n "${BASH_VERSION-}" ]; then
	eval '_envbuild_file=${BASH_SOURCE[0]}'
elif [ -n "${ZSH_VERSION-}" ]; then
	eval '_envbuild_file=${(%):-%x}'
fi
_envbuild_status=0
_envbuild_activate "$_envbuild_file" || _envbuild_status=$?
unset _envbuild_file _envbuild_prefix _envbuild_next
unset -f _envbuild_activate _envbuild_error _envbuild_find _envbuild_folder \
	_envbuild_is_environment _envbuild_keep _envbuild_prepare _envbuild_prompt \
	_envbuild_run_scripts _envbuild_set
[ "$_envbuild_status" = 0 ] && unset _envbuild_status
