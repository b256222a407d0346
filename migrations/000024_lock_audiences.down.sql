SET lock_timeout = '5s';

DROP TRIGGER member_details_narrow_audience ON member_details;
DROP FUNCTION member_details_narrow_audience();
DROP TRIGGER members_narrow_audiences ON members;
DROP FUNCTION members_narrow_audiences();
DROP FUNCTION narrow_audience(uuid, text, text);
DROP FUNCTION audience_rank(text);
DROP TABLE member_locks;
