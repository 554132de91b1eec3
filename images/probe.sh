#!/bin/sh
# Prints what this host offers, as a target profile of envbuild:
#
#   sh probe.sh [--name NAME] > PROFILE.yml
#
# The same as 'envbuild image probe', for hosts where nothing may be installed.  It needs sh, cat,
# sed, sort, tr and /proc, makes one folder below $TMPDIR or /tmp and removes it again, and runs
# nvidia-smi where there is one.  Symbol versions are read from the libraries themselves with awk and
# od; where one of these is missing, a comment in the output says what is left out.
set -u
LC_ALL=C
export LC_ALL
IFS=' 	
'

fail() {
  echo "probe.sh: error: $*" >&2
  exit 2
}

name=$(uname -n | sed 's/\..*//; s/[^A-Za-z0-9_-]/-/g; s/^-*//; s/^\(.\{64\}\).*/\1/')
name=${name:-probe}
while [ $# -gt 0 ]; do
  case $1 in
    --name)
      [ $# -gt 1 ] || fail "--name needs a name"
      case $2 in
        '' | [.-]* | *[!A-Za-z0-9._-]*) fail "a target's name has letters, digits, '.', '_' and '-'" ;;
      esac
      name=$2
      shift 2
      ;;
    *) fail "unknown option '$1'; usage: sh probe.sh [--name NAME] > PROFILE.yml" ;;
  esac
done

machine=$(uname -m)
case $machine in
  x86_64) subdir=linux-64 number=62 triplet=x86_64-linux-gnu ;;
  aarch64) subdir=linux-aarch64 number=183 triplet=aarch64-linux-gnu ;;
  *) fail "no targets of envbuild are of machine '$machine'" ;;
esac
notes=
note() {
  notes="$notes# $1
"
}
has() {
  command -v "$1" >/dev/null 2>&1
}

# --- libraries -------------------------------------------------------------------------------

# Folders of a file like /etc/ld.so.conf, in its order: conf FILE DEPTH
conf() (
  depth=$2
  [ -f "$1" ] && [ "$depth" -le 8 ] || exit 0
  sed 's/#.*//' "$1" | tr ':,\t\r' '    ' | while read -r line; do
    set -f
    # shellcheck disable=SC2086 # words
    set -- $line
    set +f
    including=
    for word; do
      if [ "$word" = include ]; then
        including=1
      elif [ -n "$including" ]; then
        case $word in
          /*) ;;
          *) word=/etc/$word ;;
        esac
        for file in $word; do
          conf "$file" $((depth + 1))
        done
      else
        case $word in
          /*) echo "${word%%=*}" ;;
        esac
      fi
    done
  done
)

# Each folder once, whatever names it has.
folders() {
  {
    conf /etc/ld.so.conf 0
    for folder in /lib64 /usr/lib64 "/lib/$triplet" "/usr/lib/$triplet" /lib /usr/lib; do
      echo "$folder"
    done
  } | {
    met=:
    while read -r folder; do
      real=$(cd -P "$folder" 2>/dev/null && pwd -P) || continue
      case $met in
        *":$real:"*) continue ;;
      esac
      met=$met$real:
      echo "$folder"
    done
  }
}

# Paths that could be libraries, in the order in which the loader looks.
candidates() {
  folders | while read -r folder; do
    case $folder in
      *[\'\\]*) continue ;;
    esac
    for pattern in 'lib*.so*' 'ld-*.so*'; do
      for path in "$folder"/$pattern; do
        case ${path##*/} in
          *[!A-Za-z0-9._+@~-]*) continue ;;
        esac
        [ -f "$path" ] && [ -r "$path" ] && echo "$path"
      done
    done
  done
}

# Lines "SONAME <tab> YAML" of the ELF files whose paths come in.  The format: System V ABI, ELF64.
read_libraries() {
  # shellcheck disable=SC2016 # awk's own variables
  awk -v machine="$number" '
  # Bytes of the file into B[0 ...]: how many there are.
  function load(offset, n,    command, line, count, words, i, k) {
    command = sprintf("exec od -An -v -tu1 -j %.0f -N %.0f \047%s\047 2>/dev/null", offset, n, path)
    k = 0
    while ((command | getline line) > 0) {
      count = split(line, words, " ")
      for (i = 1; i <= count; i++)
        B[k++] = words[i] + 0
    }
    close(command)
    return k
  }
  function u(at, size,    v, i) {
    v = 0
    for (i = size - 1; i >= 0; i--)
      v = v * 256 + B[at + i]
    return v
  }
  # Offset in the file of what lies at an address; -1: nowhere.
  function at_address(address,    i) {
    for (i = 0; i < loads; i++)
      if (address >= load_address[i] && address < load_address[i] + load_size[i])
        return load_offset[i] + address - load_address[i]
    return -1
  }
  # The text at B[at], as far as n bytes go.
  function text(at, n,    s) {
    s = ""
    while (at < n && B[at] != 0)
      s = s sprintf("%c", B[at++])
    return s
  }
  function word(s) {
    return s ~ /^[A-Za-z_]/ && s !~ /@/ ? s : "\"" s "\""
  }
  # The symbol versions that are defined, into V[1 ...]: how many; -1: the file is broken.
  function definitions(address, count,    at, n, offset, i, k, aux, next_one, least, most, where, s) {
    offset = at_address(address)
    if (offset < 0 || count > 65536)
      return -1
    n = load(offset, 20 + 128 * count)
    k = 0
    least = -1
    most = 0
    for (at = i = 0; i < count; i++) {
      if (at + 20 > n)
        return -1
      aux = at + u(at + 12, 4)
      if (aux + 8 > n)
        return -1
      if (B[at + 2] % 2 == 0) {
        where[++k] = u(aux, 4)
        if (least < 0 || where[k] < least)
          least = where[k]
        if (where[k] > most)
          most = where[k]
      }
      next_one = u(at + 16, 4)
      if (next_one == 0)
        break
      at += next_one
    }
    if (k == 0)
      return 0
    if (most - least < 4000 * k) {
      n = load(strings + least, most - least + 300)
      for (i = 1; i <= k; i++)
        V[i] = text(where[i] - least, n)
    } else
      for (i = 1; i <= k; i++)
        V[i] = text(0, load(strings + where[i], 300))
    return k
  }
  function versions_yaml(n,    i, j, s, list, kept) {
    kept = 0
    for (i = 1; i <= n; i++) {
      s = V[i]
      if (s !~ /^[A-Za-z0-9._+@~-]+$/ || length(s) > 255 || s ~ /_PRIVATE$/)
        continue
      for (j = kept; j > 0 && (K[j] "") > (s ""); j--)
        K[j + 1] = K[j]
      K[j + 1] = s
      kept++
    }
    list = ""
    for (i = 1; i <= kept; i++)
      if (i == 1 || K[i] != K[i - 1])
        list = list (list == "" ? "" : ", ") word(K[i])
    return "[" list "]"
  }
  function read_one(    n, base, i, at, phoff, phnum, type, tag, dynamic, size, strtab, soname, verdef, \
    verdefnum, count) {
    n = load(0, 1024)
    if (n < 64 || B[0] != 127 || B[1] != 69 || B[2] != 76 || B[3] != 70 || B[4] != 2 || B[5] != 1)
      return
    if (u(16, 2) != 3 || u(18, 2) != machine)
      return
    phoff = u(32, 8)
    phnum = u(56, 2)
    if (phnum > 4096 || (phnum > 0 && u(54, 2) != 56))
      return
    base = phoff
    if (phoff + 56 * phnum > n) {
      base = 0
      if (load(phoff, 56 * phnum) < 56 * phnum)
        return
    }
    loads = 0
    dynamic = -1
    for (i = 0; i < phnum; i++) {
      at = base + 56 * i
      type = u(at, 4)
      if (type == 1) {
        load_offset[loads] = u(at + 8, 8)
        load_address[loads] = u(at + 16, 8)
        load_size[loads++] = u(at + 32, 8)
      } else if (type == 2) {
        dynamic = u(at + 8, 8)
        size = u(at + 32, 8)
      }
    }
    strtab = soname = verdef = -1
    verdefnum = 0
    n = dynamic < 0 || size > 1048576 ? 0 : load(dynamic, size)
    for (at = 0; at + 16 <= n; at += 16) {
      tag = u(at, 8)
      if (tag == 0)
        break
      if (tag == 5)
        strtab = u(at + 8, 8)
      else if (tag == 14)
        soname = u(at + 8, 8)
      else if (tag == 1879048188)
        verdef = u(at + 8, 8)
      else if (tag == 1879048189)
        verdefnum = u(at + 8, 8)
    }
    strings = strtab < 0 ? -1 : at_address(strtab)
    if (soname >= 0 && (strings < 0 || text(0, load(strings + soname, 300)) != own))
      return
    count = verdef < 0 || strings < 0 ? 0 : definitions(verdef, verdefnum)
    if (count < 0)
      return
    seen[own] = 1
    print own "\t  " word(own) ": " versions_yaml(count)
  }
  {
    path = own = $0
    sub(/.*\//, "", own)
    if (!(own in seen))
      read_one()
  }'
}

# Texts in a file that match a basic regular expression of the whole text.
texts() {
  tr -c 'A-Za-z0-9._' '\n' <"$1" | sed -n "/^$2\$/p" | sort -u
}

# Without awk or od: what the names of libraries and of their own symbol versions tell.
guess_libraries() {
  candidates | while read -r path; do
    file=${path##*/}
    case $file in
      libc.so.6 | ld-linux-*.so.[12]) names='GLIBC_[0-9.]*' ;;
      libstdc++.so.6) names='GLIBCXX_[0-9.]*' more='CXXABI_[A-Z0-9._]*' ;;
      libgcc_s.so.1) names='GCC_[0-9.]*' ;;
      libm.so.6 | libpthread.so.0 | libdl.so.2 | librt.so.1 | libutil.so.1 | libresolv.so.2) names= ;;
      *) continue ;;
    esac
    list=
    if [ -n "$names" ]; then
      for version in $({ texts "$path" "$names" && texts "$path" "${more:-$names}"; } | sort -u); do
        list=$list${list:+, }$version
      done
    fi
    more=
    case $file in
      ld-*) list= ;; # it also names those that it looks for elsewhere
    esac
    printf '%s\t  %s: [%s]\n' "$file" "$file" "$list"
  done | sort -u
}

if has awk && has od; then
  libraries=$(candidates | read_libraries | sort)
else
  libraries=$(guess_libraries)
  note "awk or od is missing here: libraries are those of the C and C++ compiler only, and symbol"
  note "versions those of libc.so.6, libstdc++.so.6 and libgcc_s.so.1"
fi
library_names=$(echo "$libraries" | sed 's/	.*//')

# --- glibc, kernel, CPU ----------------------------------------------------------------------

newest() {
  sort -t . -k 1,1n -k 2,2n -k 3,3n | tail -n 1
}

glibc=
for place in /lib64 /usr/lib64 "/lib/$triplet" "/usr/lib/$triplet" /lib /usr/lib; do
  [ -r "$place/libc.so.6" ] || continue
  glibc=$({
    echo "$libraries" | sed -n 's/^libc\.so\.6	//p' | tr -c 'A-Z0-9_.' '\n' |
      sed -n 's/^GLIBC_\([0-9.]*[0-9]\)$/\1/p'
    tr -c ' -~' '\n' <"$place/libc.so.6" |
      sed -n 's/.*release version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | sed 1q
  } | newest)
  [ -z "$glibc" ] || break
done
[ -n "$glibc" ] || fail "there is no glibc (libc.so.6) on this host"

kernel=$(uname -r | sed 's/^\([0-9]*\(\.[0-9][0-9]*\)\{0,3\}\).*/\1/')

cpu_level() {
  flags=" $(sed -n '/^flags/{s/^[^:]*: *//p;q;}' /proc/cpuinfo 2>/dev/null) "
  level=x86_64
  for next in "v2 cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2" \
    "v3 avx avx2 bmi1 bmi2 f16c fma abm movbe xsave" \
    "v4 avx512f avx512bw avx512cd avx512dq avx512vl"; do
    for flag in ${next#* }; do
      case $flags in
        *" $flag "*) ;;
        *) return ;;
      esac
    done
    level=x86_64_${next%% *}
  done
}
level=$machine
[ "$machine" != x86_64 ] || cpu_level

# --- CUDA ------------------------------------------------------------------------------------

smi() {
  if has timeout; then
    timeout 10 nvidia-smi "$@" 2>/dev/null </dev/null
  else
    nvidia-smi "$@" 2>/dev/null </dev/null
  fi
}

# CUDA of a driver's branch, as in images/probe_gpu.c.
cuda_of_branch() {
  for pair in 580=13.0 575=12.9 570=12.8 565=12.7 560=12.6 555=12.5 550=12.4 545=12.3 535=12.2 \
    530=12.1 525=12.0 520=11.8 515=11.7 510=11.6 495=11.5 470=11.4 465=11.3 460=11.2 455=11.1 \
    450=11.0 440=10.2 418=10.1 410=10.0 396=9.2 390=9.1 384=9.0 367=8.0 352=7.5 346=7.0; do
    if [ "$1" -ge "${pair%=*}" ]; then
      echo "${pair#*=}"
      return
    fi
  done
}

cuda='' capability=''
if has nvidia-smi; then
  cuda=$(smi | sed -n 's/.*CUDA Version: *\([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | sed 1q)
fi
if [ -n "$cuda" ]; then
  capability=$(smi --query-gpu=compute_cap --format=csv,noheader |
    sed -n 's/^ *\([0-9][0-9]\{0,1\}\.[0-9]\)[ 	]*$/\1/p' | sort -t . -k 1,1n -k 2,2n | sed 1q)
  note "CUDA is what nvidia-smi says, since libcuda.so.1 was not asked"
elif [ -e /dev/nvidiactl ] && [ -r /proc/driver/nvidia/version ]; then
  branch=$(sed -n '1s/.* \([0-9]\{3,4\}\)\.[0-9.]* .*/\1/p' /proc/driver/nvidia/version)
  [ -z "$branch" ] || cuda=$(cuda_of_branch "$branch")
  [ -z "$cuda" ] || note "CUDA is what drivers of this version offer (/proc/driver/nvidia/version)"
fi

# Prints "  KEY: [A, B]" of the words on stdin, nothing for none.
list() {
  list=
  while read -r word; do
    case $word in
      [A-Za-z_/]*) ;;
      *) word="\"$word\"" ;;
    esac
    case $word in
      *[[*?]*) word="\"$word\"" ;;
    esac
    list=$list${list:+, }$word
  done
  [ -z "$list" ] || echo "  $1: [$list]"
}

gpu() {
  [ -z "$capability" ] || echo "  compute-capability: \"$capability\""
  for pattern in /dev/nvidiactl /dev/nvidia-uvm /dev/nvidia-uvm-tools /dev/nvidia-modeset \
    '/dev/nvidia[0-9]*' '/dev/nvidia-caps/*'; do
    for node in $pattern; do
      [ ! -e "$node" ] || echo "$pattern"
      break
    done
  done | list device-nodes
  echo "$library_names" | while read -r soname; do
    case $soname in
      libcuda.so.1 | libcudadebugger.so.1 | libnvidia-allocator.so.1 | libnvidia-cfg.so.1 | \
        libnvidia-fatbinaryloader.so.* | libnvidia-gpucomp.so.* | libnvidia-ml.so.1 | \
        libnvidia-nvvm.so.4 | libnvidia-opencl.so.1 | libnvidia-pkcs11-openssl3.so.* | \
        libnvidia-pkcs11.so.* | libnvidia-ptxjitcompiler.so.1) echo "$soname" ;;
    esac
  done | list libraries
  for program in nvidia-cuda-mps-control nvidia-cuda-mps-server nvidia-debugdump \
    nvidia-persistenced nvidia-smi; do
    ! has "$program" || echo "$program"
  done | list programs
}

# --- file systems and limits -----------------------------------------------------------------

case_sensitive() {
  folder=${TMPDIR:-/tmp}/envbuild-probe.$$
  (umask 077 && mkdir "$folder") 2>/dev/null || return
  if (: >"$folder/case") 2>/dev/null; then
    if [ -e "$folder/CASE" ]; then
      echo "  case-sensitive: false"
    else
      echo "  case-sensitive: true"
    fi
    rm -f "$folder/case"
  fi
  rmdir "$folder"
}

# Where the file system of a folder is mounted, if noexec.
noexec_mount() {
  real=$(cd -P "$1" 2>/dev/null && pwd -P) || return 0
  best='' noexec=''
  while read -r _ place _ options _; do
    case $place in
      / | "$real") ;;
      *)
        case $real in
          "$place"/*) ;;
          *) continue ;;
        esac
        ;;
    esac
    [ ${#place} -ge ${#best} ] || continue
    best=$place
    case ,$options, in
      *,noexec,*) noexec=1 ;;
      *) noexec= ;;
    esac
  done </proc/self/mounts
  case $best in
    *\\*) ;;
    *) [ -z "$noexec" ] || echo "$best" ;;
  esac
}

noexec() {
  [ -r /proc/self/mounts ] || return
  for folder in /tmp /var/tmp /dev/shm; do
    [ -z "$(noexec_mount "$folder")" ] || echo "$folder"
  done
  [ -z "${HOME:-}" ] || noexec_mount "$HOME"
  noexec_mount .
}

limit() {
  value=$(sed -n "s/^$2  *\([0-9a-z]*\) .*/\1/p" /proc/self/limits 2>/dev/null)
  [ -z "$value" ] || echo "  $1: $value"
}

# Prints "KEY:" and what comes in below it; nothing for nothing.
section() {
  inside=$(cat)
  [ -z "$inside" ] || printf '%s:\n%s\n' "$1" "$inside"
}

# --- all of it -------------------------------------------------------------------------------

echo "# What $name offers, as 'envbuild image probe' found it."
printf '%s' "$notes"
case $name in
  [A-Za-z_]*) echo "name: $name" ;;
  *) echo "name: \"$name\"" ;;
esac
cat <<YAML
subdir: $subdir
virtual-packages:
- __glibc=$glibc
- __linux=$kernel
- __unix=0=0
- __archspec=1=$level
YAML
if [ -n "$cuda" ]; then
  echo "- __cuda=$cuda"
  content=$(gpu | section gpu)
  echo "${content:-gpu: {\}}"
fi
echo "libraries:"
echo "$libraries" | sed 's/^[^	]*	//'
{
  case_sensitive
  noexec | sort -u | list noexec
} | section file-system
{
  limit open-files 'Max open files'
  limit processes 'Max processes'
  limit stack 'Max stack size'
} | section limits
