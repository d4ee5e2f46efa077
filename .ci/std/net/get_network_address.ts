/** The first address of this machine, of that family, that other machines may reach. */
export function getNetworkAddress(
  family: Deno.NetworkInterfaceInfo["family"] = "IPv4",
): string | undefined {
  return Deno.networkInterfaces().find((info) =>
    info.family === family && info.mac !== "00:00:00:00:00:00" && !isLocal(info)
  )?.address;
}

function isLocal({ family, address, scopeid }: Deno.NetworkInterfaceInfo): boolean {
  if (family === "IPv4") return address.startsWith("127");
  return address === "::1" || address === "fe80::1" || scopeid !== 0; // link-local has a scope
}
