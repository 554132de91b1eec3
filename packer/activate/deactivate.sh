# Undoes what bin/activate of this environment did:  source deactivate
# shellcheck shell=sh disable=SC1090
_envbuild_run_scripts_down() {
	# The folder's scripts from the last to the first, by code point.
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
			_envbuild_reversed=
			for _envbuild_script in "$1"/*.sh; do
				[ ! -f "$_envbuild_script" ] || _envbuild_reversed="$_envbuild_script
$_envbuild_reversed"
			done
			printf '%s' "$_envbuild_reversed"
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

# $1 gets back the value kept in $2, or is unset where it had none.
_envbuild_restore() {
	eval "_envbuild_kept=\${$2+x}"
	if [ -n "$_envbuild_kept" ]; then
		eval "export $1=\"\$$2\""
	else
		unset "$1"
	fi
	unset "$2" _envbuild_kept
}

_envbuild_deactivate() {
	[ -n "${_ENVBUILD_PREFIX-}" ] || return 0
	_envbuild_run_scripts_down "$_ENVBUILD_PREFIX/etc/conda/deactivate.d"
	while [ -n "${_ENVBUILD_VARIABLES-}" ]; do
		_envbuild_name=${_ENVBUILD_VARIABLES%% *}
		_ENVBUILD_VARIABLES=${_ENVBUILD_VARIABLES#"$_envbuild_name"}
		_ENVBUILD_VARIABLES=${_ENVBUILD_VARIABLES# }
		[ -z "$_envbuild_name" ] ||
			_envbuild_restore "$_envbuild_name" "_ENVBUILD_OLD_$_envbuild_name"
	done
	for _envbuild_name in CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER CONDA_SHLVL; do
		_envbuild_restore "$_envbuild_name" "_ENVBUILD_OLD_$_envbuild_name"
	done
	# What others put into PATH meanwhile stays.
	case :$PATH: in
	*:"$_ENVBUILD_PREFIX/bin":*)
		_envbuild_path=:$PATH:
		_envbuild_path=${_envbuild_path%%:"$_ENVBUILD_PREFIX/bin":*}:${_envbuild_path#*:"$_ENVBUILD_PREFIX/bin":}
		_envbuild_path=${_envbuild_path#:}
		PATH=${_envbuild_path%:}
		export PATH
		unset _envbuild_path
		;;
	esac
	if [ -n "${_ENVBUILD_OLD_PS1+x}" ]; then
		PS1=$_ENVBUILD_OLD_PS1
		unset _ENVBUILD_OLD_PS1
	fi
	unset _ENVBUILD_PREFIX _ENVBUILD_VARIABLES _envbuild_name
	hash -r 2>/dev/null || :
}

_envbuild_deactivate
unset -f _envbuild_deactivate _envbuild_restore _envbuild_run_scripts_down
if [ -n "${_ENVBUILD_FUNCTION-}" ]; then
	unset -f deactivate 2>/dev/null || :
	unset _ENVBUILD_FUNCTION
fi
