// Which hosts are on this computer or in a home network: nothing of ours ever asks them by itself. Pure.

const NAMES = /(^|\.)(localhost|local|lan|home\.arpa|internal|intranet|corp|home)$/;

/** Whether a host of a URL (as `URL.hostname` has it) names something private, or cannot be told. */
export function isPrivate(hostname) {
  const host = hostname.toLowerCase().replace(/\.$/, "");
  if (host.startsWith("[")) return !/^\[[23]/.test(host) || /^\[2002:|^\[2001:0?:/.test(host);
  const numbers = host.match(/^(\d+)\.(\d+)\.(\d+)\.(\d+)$/)?.slice(1).map(Number);
  if (numbers) return isPrivateIpv4(numbers);
  return !host.includes(".") || NAMES.test(host);
}

/** RFC 6890: this network, private, shared, loopback, link-local, benchmarking, multicast and above. */
function isPrivateIpv4([a, b]) {
  return (
    [0, 10, 127].includes(a) ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && (b === 168 || b === 0)) ||
    (a === 198 && (b === 18 || b === 19))
  );
}
