# A lock as the input: what it holds must be able to run on this target, though it was made elsewhere.
cat >other.lock <<'EOF'
version: 7
platforms:
- name: host
  subdir: linux-64
  virtual-packages:
  - __glibc=2.99
environments:
  default:
    channels:
    - url: https://host.example/channel
    packages:
      host:
      - conda: https://host.example/channel/linux-64/future-1.0-0.conda
packages:
- conda: https://host.example/channel/linux-64/future-1.0-0.conda
  sha256: 0000000000000000000000000000000000000000000000000000000000000000
  depends:
  - __glibc >=2.98
  size: 1
EOF
"$ENVBUILD" install other.lock -t host -p env --offline
