// Who may do what; the numbers are the program's.
export const ROLE = { guest: 0, user: 1, admin: 10, root: 100 } as const;

export type RoleName = "user" | "admin" | "root";

export const roleName = (role: number): RoleName =>
  role >= ROLE.root ? "root" : role >= ROLE.admin ? "admin" : "user";
