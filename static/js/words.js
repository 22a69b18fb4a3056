// Words as people look for them: without case and accents.

export const fold = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");
