# Undoes what bin/activate.csh of this environment did; the alias `deactivate` reads it.
if ( $?_ENVBUILD_PREFIX ) then
	# The folder's scripts from the last to the first, by code point.
	if ( -d "$_ENVBUILD_PREFIX/etc/conda/deactivate.d" ) then
		set _envbuild_off_glob = ( $?noglob $?nonomatch $?LC_ALL )
		if ( $_envbuild_off_glob[3] ) then
			set _envbuild_off_locale = "$LC_ALL"
		endif
		unset noglob
		set nonomatch
		setenv LC_ALL C
		set _envbuild_off_list = ( "$_ENVBUILD_PREFIX"/etc/conda/deactivate.d/*.csh )
		unsetenv LC_ALL
		if ( $_envbuild_off_glob[3] ) then
			setenv LC_ALL "$_envbuild_off_locale"
		endif
		if ( $_envbuild_off_glob[1] ) set noglob
		if ( ! $_envbuild_off_glob[2] ) unset nonomatch
		@ _envbuild_off_i = $#_envbuild_off_list
		while ( $_envbuild_off_i > 0 )
			if ( -f "$_envbuild_off_list[$_envbuild_off_i]" ) source "$_envbuild_off_list[$_envbuild_off_i]"
			@ _envbuild_off_i--
		end
	endif

	if ( ! $?_ENVBUILD_VARIABLES ) setenv _ENVBUILD_VARIABLES ''
	foreach _envbuild_off_word ( CONDA_PREFIX CONDA_DEFAULT_ENV CONDA_PROMPT_MODIFIER CONDA_SHLVL $_ENVBUILD_VARIABLES )
		unsetenv $_envbuild_off_word
		eval 'set _envbuild_off_kept = ${?_ENVBUILD_OLD_'$_envbuild_off_word'}'
		if ( $_envbuild_off_kept ) eval 'setenv '$_envbuild_off_word' $_ENVBUILD_OLD_'$_envbuild_off_word':q'
		unsetenv _ENVBUILD_OLD_$_envbuild_off_word
	end

	# What others put into PATH meanwhile stays.
	if ( ! $?_ENVBUILD_OLD_PATH ) set _ENVBUILD_OLD_PATH = ''
	if ( ! $?PATH ) then
	else if ( "$PATH" == "$_ENVBUILD_PREFIX/bin:$_ENVBUILD_OLD_PATH" ) then
		setenv PATH "$_ENVBUILD_OLD_PATH"
	else
		set _envbuild_off_kept = ()
		set _envbuild_off_seen = 0
		foreach _envbuild_off_word ( $path:q )
			if ( ! $_envbuild_off_seen && "$_envbuild_off_word" == "$_ENVBUILD_PREFIX/bin" ) then
				set _envbuild_off_seen = 1
			else
				set _envbuild_off_kept = ( $_envbuild_off_kept:q "$_envbuild_off_word" )
			endif
		end
		set path = ( $_envbuild_off_kept:q )
	endif
	if ( $?_ENVBUILD_OLD_PROMPT ) then
		set prompt = $_ENVBUILD_OLD_PROMPT:q
		unset _ENVBUILD_OLD_PROMPT
	endif
	unset _ENVBUILD_OLD_PATH
	unset _envbuild_off_*
	unsetenv _ENVBUILD_PREFIX
	unsetenv _ENVBUILD_VARIABLES
	rehash
endif
if ( $?_ENVBUILD_ALIAS ) then
	unset _ENVBUILD_ALIAS
	unalias deactivate
endif
