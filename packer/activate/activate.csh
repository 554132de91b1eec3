# Activates the environment that this file lies in (csh, tcsh), and first makes it name the place
# where it lies, if it was moved:
#
#	source /path/to/environment/bin/activate.csh
#
# `deactivate` undoes it.  CONDA_CHANGEPS1=false leaves the prompt alone; ENVBUILD_NO_RELOCATE=1
# activates a moved environment as it is; ENVBUILD_SKIP_CHECK=1 takes any host.
#
# csh does not tell a script where it lies, but it holds it open, and the system knows that.  What
# stands between backquotes is read a second time, after its variables: so no path goes there.
# ENVBUILD_PREFIX=/path/to/environment helps where there is no /proc, and in a ( subshell ).  It
# does not wait for both ends of a pipe there, sh does.
set _envbuild_ok = 0
set _envbuild_set = 0
set _envbuild_prefix = ''
set _envbuild_list = "`/bin/sh -c '/bin/ls -l /proc/$$/fd 2>/dev/null | LC_ALL=C command -p sed -n -e s,^[^\>]\*\>\ ,, -e s,/bin/activate[.]csh,,p'`"
if ( $#_envbuild_list > 0 ) then
	set _envbuild_prefix = $_envbuild_list[$#_envbuild_list]:q
endif
if ( ! -f "$_envbuild_prefix/conda-meta/envbuild/relocation" ) set _envbuild_prefix = ''
set _envbuild_name = $_envbuild_prefix:q
if ( $?ENVBUILD_PREFIX ) then
	# The name that the user goes by.
	set _envbuild_name = "$ENVBUILD_PREFIX"
	if ( "$_envbuild_name" !~ /* ) set _envbuild_name = "$cwd/$_envbuild_name"
else if ( "$_envbuild_prefix" !~ *[^A-Za-z0-9_./+-]* && -f "$_envbuild_prefix/conda-meta/envbuild/prefix" ) then
	# The name that its files hold, perhaps through a link, is as good as the system's.
	set _envbuild_list = "`/bin/cat $_envbuild_prefix/conda-meta/envbuild/prefix`"
	if ( $#_envbuild_list == 1 ) then
		set _envbuild_name = "$_envbuild_list"
	endif
endif
if ( "$_envbuild_prefix" == '' ) then
	set _envbuild_prefix = $_envbuild_name:q
else if ( "$_envbuild_name" != "$_envbuild_prefix" ) then
	if ( { test "$_envbuild_name" -ef "$_envbuild_prefix" } ) set _envbuild_prefix = $_envbuild_name:q
endif

if ( "$_envbuild_prefix" == '' || ! -f "$_envbuild_prefix/conda-meta/envbuild/relocation" ) then
	/bin/sh -c 'printf "activate: %s\n" "$1" >&2' sh "cannot tell where the environment lies; set ENVBUILD_PREFIX to its folder before"
else if ( $?ENVBUILD_NO_RELOCATE && $?ENVBUILD_SKIP_CHECK ) then
	set _envbuild_ok = 1
else
	"$_envbuild_prefix/bin/conda-unpack" --activate
	if ( $status == 0 ) then
		set _envbuild_ok = 1
	else
		/bin/sh -c 'printf "activate: %s\n" "$1" >&2' sh "'$_envbuild_prefix' is not activated"
	endif
endif

if ( $_envbuild_ok ) then
	if ( $?_ENVBUILD_PREFIX ) then
		if ( -f "$_ENVBUILD_PREFIX/bin/deactivate.csh" ) source "$_ENVBUILD_PREFIX/bin/deactivate.csh"
	endif
	# An alias of this name that belongs to somebody else stays theirs.
	if ( "`alias deactivate`" == '' ) then
		alias deactivate 'source "$_ENVBUILD_PREFIX/bin/deactivate.csh"'
		set _ENVBUILD_ALIAS
	endif

	# backslash_quote would read the quotes of the values in another way.
	set _envbuild_backslash = $?backslash_quote
	unset backslash_quote
	source "$_envbuild_prefix/conda-meta/envbuild/variables.csh"
	setenv _ENVBUILD_PREFIX "$_envbuild_prefix"
	setenv _ENVBUILD_VARIABLES "$_envbuild_names"
	foreach _envbuild_word ( CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER CONDA_SHLVL $_envbuild_names )
		unsetenv _ENVBUILD_OLD_$_envbuild_word
		eval 'set _envbuild_kept = ${?'$_envbuild_word'}'
		if ( $_envbuild_kept ) eval 'setenv _ENVBUILD_OLD_'$_envbuild_word' $'$_envbuild_word':q'
	end
	if ( "$_envbuild_name" == '' ) set _envbuild_name = $_envbuild_prefix:t:q
	setenv CONDA_PREFIX "$_envbuild_prefix"
	setenv CONDA_DEFAULT_ENV "$_envbuild_name"
	if ( ! $?CONDA_SHLVL ) setenv CONDA_SHLVL 1
	if ( $?PATH ) then
		set _ENVBUILD_OLD_PATH = "$PATH"
		setenv PATH "$_envbuild_prefix/bin:$PATH"
	else
		setenv PATH "$_envbuild_prefix/bin"
	endif
	set _envbuild_kept = 1
	if ( $?CONDA_CHANGEPS1 ) then
		if ( "$CONDA_CHANGEPS1" =~ [Ff]alse || "$CONDA_CHANGEPS1" == FALSE ) set _envbuild_kept = 0
		if ( "$CONDA_CHANGEPS1" == no || "$CONDA_CHANGEPS1" == off || "$CONDA_CHANGEPS1" == 0 ) set _envbuild_kept = 0
	endif
	if ( $_envbuild_kept ) then
		setenv CONDA_PROMPT_MODIFIER "($_envbuild_name) "
		if ( $?prompt ) then
			set _ENVBUILD_OLD_PROMPT = $prompt:q
			set prompt = "($_envbuild_name) "$prompt:q
		endif
	endif
	set _envbuild_set = 1
	source "$_envbuild_prefix/conda-meta/envbuild/variables.csh"
	if ( $_envbuild_backslash ) set backslash_quote
	rehash

	# The folder's scripts by code point, whatever the locale.
	if ( -d "$CONDA_PREFIX/etc/conda/activate.d" ) then
		set _envbuild_glob = ( $?noglob $?nonomatch $?LC_ALL )
		if ( $_envbuild_glob[3] ) then
			set _envbuild_locale = "$LC_ALL"
		endif
		unset noglob
		set nonomatch
		setenv LC_ALL C
		set _envbuild_list = ( "$CONDA_PREFIX"/etc/conda/activate.d/*.csh )
		unsetenv LC_ALL
		if ( $_envbuild_glob[3] ) then
			setenv LC_ALL "$_envbuild_locale"
		endif
		if ( $_envbuild_glob[1] ) set noglob
		if ( ! $_envbuild_glob[2] ) unset nonomatch
		foreach _envbuild_word ( $_envbuild_list:q )
			if ( -f "$_envbuild_word" ) source "$_envbuild_word"
		end
	endif
endif
# The status is the last command's.
set _envbuild_word = '( exit 1 )'
if ( $_envbuild_ok ) set _envbuild_word = ':'
eval "unset _envbuild_*; $_envbuild_word"
