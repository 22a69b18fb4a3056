"use strict";
// The server writes times in the reader's own zone: it learns the zone from this cookie.
{
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const wanted = `dexra_zone=${encodeURIComponent(zone)}`;
  if (zone && !document.cookie.split("; ").includes(wanted)) {
    document.cookie = `${wanted}; path=/; max-age=31536000; samesite=lax`;
  }
}
